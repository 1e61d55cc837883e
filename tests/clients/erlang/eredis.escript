#!/usr/bin/env escript
%% eredis, which speaks RESP2: integers come as binaries, nothing as undefined.
%% Arguments: host port queue-prefix protocol

-mode(compile).

%% [connect]
connect(Host, Port) ->
    %% It connects again by itself, half a second after a connection is lost.
    {ok, Ezra} = eredis:start_link(Host, Port, 0, "", 500),
    Ezra.
%% [/connect]

%% [worker]
%% Work on one queue until Stop says so. If Handle fails with a task, which is a map of its fields, it
%% is tried again, and is dead after its last attempt.
work(Ezra, Queue, Handle, Stop) ->
    Claim = ["XREADGROUP", "GROUP", "workers", "worker-1",
             "COUNT", 1, "BLOCK", 1000, "STREAMS", Queue, ">"],
    {ok, Reply} = eredis:q(Ezra, Claim, infinity), % By default eredis gives up after five seconds.
    lists:foreach(
        fun({Id, Task}) ->
            try Handle(Task) of
                _ -> {ok, _} = eredis:q(Ezra, ["XACK", Queue, "workers", Id])
            catch
                _:_ -> {ok, _} = eredis:q(Ezra, ["XDEL", Queue, Id]) % In EZRA a nack.
            end
        end,
        tasks_in(Reply)),
    case Stop() of
        true -> ok;
        false -> work(Ezra, Queue, Handle, Stop)
    end.

%% The tasks in the reply to an XREADGROUP of one queue.
tasks_in(undefined) -> [];
tasks_in([[_Queue, Entries]]) -> tasks_of(Entries).

tasks_of(Entries) -> [{Id, named(Fields)} || [Id, Fields] <- Entries].

%% A list of names and values as a map.
named([]) -> #{};
named([Name, Value | Rest]) -> maps:put(Name, Value, named(Rest)).
%% [/worker]

ask(Ezra, Words) ->
    {ok, Reply} = eredis:q(Ezra, Words, infinity),
    Reply.

expect(_What, Wanted, Wanted) -> ok;
expect(What, Got, Wanted) -> error({What, Got, not_, Wanted}).

push(Ezra, Queue, Fields) -> ask(Ezra, ["XADD", Queue, "*" | Fields]).

%% Claim what there is, without waiting.
claim(Ezra, Queue, Worker, Count) ->
    Words = ["XREADGROUP", "GROUP", "workers", Worker, "COUNT", Count, "STREAMS", Queue, ">"],
    tasks_in(ask(Ezra, Words)).

claim(Ezra, Queue) -> claim(Ezra, Queue, "worker-1", 1).

%% Claim the one task that there is: its id and its fields.
claim_one(Ezra, Queue) ->
    [Task] = claim(Ezra, Queue, "worker-1", 2),
    Task.

ack(Ezra, Queue, Id) -> expect("XACK", ask(Ezra, ["XACK", Queue, "workers", Id]), <<"1">>).

ids_of(Tasks) -> [Id || {Id, _} <- Tasks].

produce_and_work(Ezra, Queue) ->
    Payload = <<"caf", 16#E9, 0, "\r\n">>,
    Id = push(Ezra, Queue, ["payload", Payload, "to", "alice"]),
    Create = ["XGROUP", "CREATE", Queue, "workers", "0", "MKSTREAM"],
    [expect("XGROUP CREATE", ask(Ezra, Create), <<"OK">>) || _ <- [1, 2]],
    {Claimed, Task} = claim_one(Ezra, Queue),
    expect("id", Claimed, Id),
    #{<<"payload">> := Got, <<"to">> := To, <<"attempts">> := Attempts} = Task,
    expect("fields", {Got, To, Attempts}, {Payload, <<"alice">>, <<"1">>}),
    ack(Ezra, Queue, Id),
    expect("XLEN", ask(Ezra, ["XLEN", Queue]), <<"0">>),
    let_it_work(Ezra, Queue).

%% The worker's loop: its task fails at first and is done at the second attempt.
let_it_work(Ezra, Queue) ->
    push(Ezra, Queue, ["payload", "again"]),
    Handle = fun(#{<<"attempts">> := Attempts}) ->
        put(attempts, Attempts),
        <<"2">> = Attempts
    end,
    work(Ezra, Queue, Handle, fun() -> get(attempts) =:= <<"2">> end),
    expect("claimed after the loop", claim(Ezra, Queue), []).

order_and_batch(Ezra, Queue) ->
    Ids = [push(Ezra, Queue, ["payload", N]) || N <- lists:seq(1, 5)],
    Tasks = claim(Ezra, Queue, "worker-1", 5),
    expect("ids", ids_of(Tasks), Ids),
    Payloads = [maps:get(<<"payload">>, Task) || {_, Task} <- Tasks],
    expect("payloads", Payloads, [<<"1">>, <<"2">>, <<"3">>, <<"4">>, <<"5">>]),
    expect("XACK", ask(Ezra, ["XACK", Queue, "workers" | Ids]), <<"5">>),
    Words = ["XREADGROUP", "GROUP", "workers", "worker-1", "STREAMS", Queue, ">"],
    expect("an empty queue", ask(Ezra, Words), undefined).

retry(Ezra, Queue) ->
    Id = push(Ezra, Queue, ["payload", "x"]),
    claim_one(Ezra, Queue),
    expect("XDEL", ask(Ezra, ["XDEL", Queue, Id]), <<"1">>),
    {Again, #{<<"attempts">> := Attempts}} = claim_one(Ezra, Queue),
    expect("id, attempts", {Again, Attempts}, {Id, <<"2">>}),
    ack(Ezra, Queue, Id).

dead_letter(Ezra, Queue) ->
    Dead = Queue ++ "::dead",
    Id = push(Ezra, Queue, ["payload", "x", "max_attempts", 1]),
    claim_one(Ezra, Queue),
    ask(Ezra, ["XDEL", Queue, Id]),
    expect("XLEN", ask(Ezra, ["XLEN", Dead]), <<"1">>),
    expect("XRANGE", ids_of(tasks_of(ask(Ezra, ["XRANGE", Dead, "-", "+"]))), [Id]),
    {Claimed, _} = claim_one(Ezra, Dead),
    expect("claimed", Claimed, Id),
    ack(Ezra, Dead, Id),
    expect("XLEN", ask(Ezra, ["XLEN", Dead]), <<"0">>).

blocking(Ezra, Queue) ->
    Claim = fun(Connection, Milliseconds) ->
        Words = ["XREADGROUP", "GROUP", "workers", "worker-1", "COUNT", 1, "BLOCK", Milliseconds,
                 "STREAMS", Queue, ">"],
        tasks_in(ask(Connection, Words))
    end,
    expect("an empty queue", Claim(Ezra, 300), []),
    Scenario = self(),
    Worker = spawn_link(fun() -> Scenario ! {self(), Claim(another_connection(), 10000)} end),
    timer:sleep(200), % Most likely it is blocked by then; its task arrives in any case.
    Id = push(Ezra, Queue, ["payload", "x"]),
    receive
        {Worker, Tasks} -> expect("arrived", ids_of(Tasks), [Id])
    end,
    ack(Ezra, Queue, Id).

heartbeat(Ezra, Queue) ->
    Id = push(Ezra, Queue, ["payload", "x", "visibility_timeout", "1"]),
    claim_one(Ezra, Queue),
    Renew = ["XCLAIM", Queue, "workers", "worker-1", 0, Id, "JUSTID"],
    Beat = fun(_) ->
        timer:sleep(100),
        expect("XCLAIM", ask(Ezra, Renew), [Id]),
        expect("another worker", claim(Ezra, Queue, "worker-2", 1), [])
    end,
    lists:foreach(Beat, lists:seq(1, 12)),
    ack(Ezra, Queue, Id),
    expect("XCLAIM", ask(Ezra, Renew), []).

pending(Ezra, Queue) ->
    Id = push(Ezra, Queue, ["payload", "x"]),
    claim_one(Ezra, Queue),
    Summary = ask(Ezra, ["XPENDING", Queue, "workers"]),
    expect("XPENDING", Summary, [<<"1">>, Id, Id, [[<<"worker-1">>, <<"1">>]]]),
    [[Seen, Worker, _, Attempts]] = ask(Ezra, ["XPENDING", Queue, "workers", "-", "+", 10]),
    expect("XPENDING - +", {Seen, Worker, Attempts}, {Id, <<"worker-1">>, <<"1">>}),
    timer:sleep(20),
    [_, Entries | _] = ask(Ezra, ["XAUTOCLAIM", Queue, "workers", "worker-2", 1, "0-0"]),
    [{Taken, #{<<"attempts">> := Again}}] = tasks_of(Entries),
    expect("XAUTOCLAIM", {Taken, Again}, {Id, <<"2">>}),
    ack(Ezra, Queue, Id).

transaction(Ezra, Queue) ->
    {First, Second} = {Queue ++ ":a", Queue ++ ":b"},
    Id = push(Ezra, First, ["payload", 1]),
    claim_one(Ezra, First),
    Queued = {ok, <<"QUEUED">>},
    [{ok, <<"OK">>}, Queued, Queued, Queued, {ok, Results}] = eredis:qp(Ezra, [
        ["MULTI"],
        ["XADD", First, "*", "payload", 2],
        ["XADD", Second, "*", "payload", 3],
        ["XACK", First, "workers", Id],
        ["EXEC"]
    ]),
    [_, _, <<"1">>] = Results,
    Lengths = [ask(Ezra, ["XLEN", Name]) || Name <- [First, Second]],
    expect("XLEN", Lengths, [<<"1">>, <<"1">>]),

    Refused = eredis:qp(Ezra, [
        ["MULTI"],
        ["XADD", First, "*", "payload", 4],
        ["XADD", First, "1-1", "x", "y"],
        ["EXEC"]
    ]),
    {error, _} = lists:last(Refused),
    expect("XLEN", ask(Ezra, ["XLEN", First]), <<"1">>).

inspect(Ezra, Queue) ->
    Ids = [push(Ezra, Queue, ["payload", N]) || N <- [1, 2]],
    ask(Ezra, ["XGROUP", "CREATE", Queue, "workers", "0", "MKSTREAM"]),
    expect("XRANGE", ids_of(tasks_of(ask(Ezra, ["XRANGE", Queue, "-", "+"]))), Ids),
    Backwards = ids_of(tasks_of(ask(Ezra, ["XREVRANGE", Queue, "+", "-"]))),
    expect("XREVRANGE", Backwards, lists:reverse(Ids)),
    claim(Ezra, Queue),
    #{<<"length">> := Length, <<"groups">> := Groups} = named(ask(Ezra, ["XINFO", "STREAM", Queue])),
    expect("XINFO STREAM", {Length, Groups}, {<<"1">>, <<"1">>}),
    [Group] = ask(Ezra, ["XINFO", "GROUPS", Queue]),
    #{<<"name">> := <<"workers">>, <<"pending">> := <<"1">>} = named(Group),
    [Worker] = ask(Ezra, ["XINFO", "CONSUMERS", Queue, "workers"]),
    #{<<"name">> := <<"worker-1">>, <<"pending">> := <<"1">>} = named(Worker),
    ack(Ezra, Queue, hd(Ids)).

reconnect(Ezra, Queue) ->
    io:format("cut ~s~n", [ask(Ezra, ["CLIENT", "ID"])]),
    io:get_line(""),
    Id = push_again(Ezra, Queue, 5),
    expect("claimed", ids_of(claim(Ezra, Queue, "worker-1", 5)), [Id]),
    ack(Ezra, Queue, Id).

%% Push as soon as eredis has connected again.
push_again(Ezra, Queue, Tries) when Tries > 0 ->
    case eredis:q(Ezra, ["XADD", Queue, "*", "payload", "x"]) of
        {ok, Id} ->
            Id;
        {error, _} ->
            timer:sleep(300),
            push_again(Ezra, Queue, Tries - 1)
    end.

another_connection() -> connect(get_argument(host), get_argument(port)).

get_argument(Name) -> persistent_term:get({?MODULE, Name}).

%% Run one scenario and say how it went. The others run even if it fails.
scenario(Name, Steps, Ezra, Prefix) ->
    try Steps(Ezra, Prefix ++ ":" ++ Name) of
        _ -> io:format("ok ~s~n", [Name])
    catch
        _:Reason -> io:format("FAIL ~s: ~0p~n", [Name, Reason])
    end.

main([Host, Port, Prefix, _Protocol]) ->
    persistent_term:put({?MODULE, host}, Host),
    persistent_term:put({?MODULE, port}, list_to_integer(Port)),
    logger:remove_handler(default), % It would write to stdout when the connection is lost.
    %% eredis 1.2.0 still says 1.1.0 of itself.
    "redis_client-" ++ Version = filename:basename(code:lib_dir(redis_client)),
    io:format("version ~s~n", [Version]),
    Ezra = another_connection(),
    [scenario(Name, Steps, Ezra, Prefix) || {Name, Steps} <- [
        {"produce-and-work", fun produce_and_work/2},
        {"order-and-batch", fun order_and_batch/2},
        {"retry", fun retry/2},
        {"dead-letter", fun dead_letter/2},
        {"blocking", fun blocking/2},
        {"heartbeat", fun heartbeat/2},
        {"pending", fun pending/2},
        {"transaction", fun transaction/2},
        {"inspect", fun inspect/2},
        {"reconnect", fun reconnect/2}
    ]].
