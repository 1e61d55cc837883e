#!/bin/sh
# redis-cli, in scripts as people write them; with it redis-benchmark, which comes in the same package.
# It speaks RESP2, or RESP3 with -3: then it prints the name and the value of a map on one line.
# Arguments: host port queue-prefix protocol

host=$1 port=$2 prefix=$3

# [connect]
ezra() {
    redis-cli -h "$host" -p "$port" "$@"
}
# [/connect]

# [worker]
# Work on one queue until nothing has come for a second. If `handle` fails with a task, it is tried
# again, and is dead after its last attempt. The reply has a line each for the queue, the id, and every
# name and value.
work() {
    while task=$(ezra XREADGROUP GROUP workers worker-1 BLOCK 1000 STREAMS "$1" '>') && [ "$task" ]; do
        id=$(echo "$task" | sed -n 2p)
        if echo "$task" | handle; then
            ezra XACK "$1" workers "$id"
        else
            ezra XDEL "$1" "$id" # In EZRA a nack: it deletes nothing.
        fi
    done
}
# [/worker]

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Run one scenario, in a shell of its own, and say how it went. The others run even if it fails.
scenario() {
    if ("$2" "$prefix:$1") 2> "$folder/reason"; then
        echo "ok $1"
    else
        echo "FAIL $1: $(tail -n 1 "$folder/reason")"
    fi
}

# Leave the scenario unless the two are equal.
expect() {
    [ "$2" = "$3" ] && return
    echo "$1:" $2, not $3 >&2
    exit 1
}

# Leave the scenario unless a text has a line like this.
expect_line() {
    echo "$2" | grep -q -- "$3" && return
    echo "$1: no line $3 in:" $2 >&2
    exit 1
}

push() { ezra XADD "$1" '*' payload "${2:-x}"; }
ack() { expect XACK "$(ezra XACK "$1" workers "$2")" 1; }

# Claim what there is, without waiting: queue worker count
claim() {
    ezra XREADGROUP GROUP workers "${2:-worker-1}" COUNT "${3:-1}" STREAMS "$1" '>'
}

# The ids among the lines of a reply; no payload here looks like one.
ids_of() { echo "$1" | grep -E '^[0-9]{13}-[0-9]+$'; }

# The value that follows a name among the lines of a reply.
value() { echo "$1" | sed -n "/^$2\$/{n;p;q}"; }

produce_and_work() {
    id=$(printf 'caf\351\000\r\n' | ezra -x XADD "$1" '*' to alice payload)
    expect 'XGROUP CREATE' "$(ezra XGROUP CREATE "$1" workers 0 MKSTREAM)" OK
    expect 'XGROUP CREATE again' "$(ezra XGROUP CREATE "$1" workers 0 MKSTREAM)" OK
    claim "$1" > "$folder/task"
    bytes=$(od -An -v -tx1 "$folder/task" | tr -d ' \n')
    expect_line payload "$bytes" 7061796c6f61640a636166e9000d0a0a
    task=$(tr -d '\000' < "$folder/task")
    expect id "$(ids_of "$task")" "$id"
    expect 'header, attempts' "$(value "$task" to) $(value "$task" attempts)" 'alice 1'
    ack "$1" "$id"
    expect XLEN "$(ezra XLEN "$1")" 0

    push "$1" again > /dev/null
    expect 'answers of the loop' "$(echo $(work "$1"))" '1 1'
    expect 'attempts of the loop' "$(echo $(cat "$folder/attempts"))" '1 2'
}

# It fails at first.
handle() {
    attempts=$(value "$(cat)" attempts)
    echo "$attempts" >> "$folder/attempts"
    [ "$attempts" -gt 1 ]
}

order_and_batch() {
    for n in 1 2 3 4 5; do echo "XADD $1 * payload $n"; done > "$folder/pushes"
    report=$(ezra --pipe < "$folder/pushes") || expect '--pipe' "$report" 'no error'
    expect_line '--pipe' "$report" 'errors: 0, replies: 5'
    tasks=$(claim "$1" worker-1 5)
    expect payloads "$(echo $(echo "$tasks" | sed -n '/^payload$/{n;p}'))" '1 2 3 4 5'
    expect order "$(ids_of "$tasks")" "$(ids_of "$tasks" | sort -t - -k 1,1n -k 2,2n)"
    expect XACK "$(ezra XACK "$1" workers $(ids_of "$tasks"))" 5
    expect 'an empty queue' "$(claim "$1")" ''
    benchmark "$1:benchmark"
}

# redis-benchmark asks for the configuration first, and stops at the first error.
benchmark() {
    redis-benchmark -h "$host" -p "$port" -q -n 200 -c 4 -t ping_mbulk > "$folder/report" 2>&1 ||
        expect 'redis-benchmark -t ping_mbulk' "$(cat "$folder/report")" 'no error'
    redis-benchmark -h "$host" -p "$port" -q -n 200 -c 4 -P 5 XADD "$1" '*' payload x \
        >> "$folder/report" 2>&1 ||
        expect 'redis-benchmark XADD' "$(cat "$folder/report")" 'no error'
    expect 'complaints of redis-benchmark' "$(grep -iE 'warning|error' "$folder/report")" ''
    expect 'pushed by redis-benchmark' "$(ezra XLEN "$1")" 200
}

retry() {
    id=$(push "$1")
    claim "$1" > /dev/null
    expect XDEL "$(ezra XDEL "$1" "$id")" 1
    task=$(claim "$1")
    expect id "$(ids_of "$task")" "$id"
    expect attempts "$(value "$task" attempts)" 2
    ack "$1" "$id"
}

dead_letter() {
    dead=$1::dead
    id=$(ezra XADD "$1" '*' payload x max_attempts 1)
    claim "$1" > /dev/null
    expect XDEL "$(ezra XDEL "$1" "$id")" 1
    expect XLEN "$(ezra XLEN "$dead")" 1
    expect XRANGE "$(ids_of "$(ezra XRANGE "$dead" - +)")" "$id"
    expect claimed "$(ids_of "$(claim "$dead")")" "$id"
    ack "$dead" "$id"
    expect XLEN "$(ezra XLEN "$dead")" 0
}

blocking() {
    wait_for="XREADGROUP GROUP workers worker-1 COUNT 1 BLOCK"
    expect 'an empty queue' "$(ezra $wait_for 300 STREAMS "$1" '>')" ''
    ezra $wait_for 10000 STREAMS "$1" '>' > "$folder/arrived" &
    sleep 0.2 # Most likely it is blocked by then; its task arrives in any case.
    id=$(push "$1")
    wait $!
    expect arrived "$(ids_of "$(cat "$folder/arrived")")" "$id"
    ack "$1" "$id"
}

heartbeat() {
    id=$(ezra XADD "$1" '*' payload x visibility_timeout 1)
    claim "$1" > /dev/null
    for beat in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.1
        expect XCLAIM "$(ezra XCLAIM "$1" workers worker-1 0 "$id" JUSTID)" "$id"
        expect "another worker, beat $beat" "$(claim "$1" worker-2)" ''
    done
    ack "$1" "$id"
    expect XCLAIM "$(ezra XCLAIM "$1" workers worker-1 0 "$id" JUSTID)" ''
}

pending() {
    id=$(push "$1")
    claim "$1" > /dev/null
    expect XPENDING "$(echo $(ezra XPENDING "$1" workers))" "1 $id $id worker-1 1"
    seen=$(ezra XPENDING "$1" workers - + 10 | sed 3d)
    expect 'XPENDING - +' "$(echo $seen)" "$id worker-1 1"
    sleep 0.02
    taken=$(ezra XAUTOCLAIM "$1" workers worker-2 1 0-0)
    expect XAUTOCLAIM "$(ids_of "$taken") $(value "$taken" attempts)" "$id 2"
    ack "$1" "$id"
}

transaction() {
    first=$1:a second=$1:b
    id=$(push "$first")
    claim "$first" > /dev/null
    results=$(ezra <<- COMMANDS
		MULTI
		XADD $first * payload 2
		XADD $second * payload 3
		XACK $first workers $id
		EXEC
	COMMANDS
    )
    expect results "$(echo $(echo "$results" | sed 5,6d))" 'OK QUEUED QUEUED QUEUED 1'
    expect XLEN "$(ezra XLEN "$first") $(ezra XLEN "$second")" '1 1'

    refused=$(ezra <<- COMMANDS
		MULTI
		XADD $first * payload 4
		XADD $first 1-1 x y
		EXEC
	COMMANDS
    )
    expect_line 'an id that is too small' "$refused" ^EXECABORT
    expect XLEN "$(ezra XLEN "$first")" 1
}

inspect() {
    first=$(push "$1") second=$(push "$1")
    ezra XGROUP CREATE "$1" workers 0 MKSTREAM > /dev/null
    expect XRANGE "$(echo $(ids_of "$(ezra XRANGE "$1" - +)"))" "$first $second"
    expect XREVRANGE "$(echo $(ids_of "$(ezra XREVRANGE "$1" + -)"))" "$second $first"
    claim "$1" > /dev/null
    stream=$(ezra XINFO STREAM "$1")
    expect 'XINFO STREAM' "$(value "$stream" length) $(value "$stream" groups)" '1 1'
    expect 'XINFO STREAM with -3' "$(ezra -3 XINFO STREAM "$1" | head -n 1)" 'length 1'
    groups=$(ezra XINFO GROUPS "$1")
    expect 'XINFO GROUPS' "$(value "$groups" name) $(value "$groups" pending)" 'workers 1'
    workers=$(ezra XINFO CONSUMERS "$1" workers)
    expect 'XINFO CONSUMERS' "$(value "$workers" name) $(value "$workers" pending)" 'worker-1 1'
    biggest=$(ezra --bigkeys 2>&1) || expect '--bigkeys' "$biggest" 'no error'
    expect_line '--bigkeys' "$biggest" 'Biggest stream found .* has [0-9]* entries'
    timeout 0.5 stdbuf -oL redis-cli -h "$host" -p "$port" --stat -i 0.1 > "$folder/stat" 2>&1
    expect_line '--stat' "$(cat "$folder/stat")" '^[1-9][0-9]* *[0-9.]*[BKMG]'
    ack "$1" "$first"
}

# One redis-cli that stays for several commands. It ends when its connection is lost, and says so.
reconnect() {
    mkfifo "$folder/later"
    { echo CLIENT ID; cat "$folder/later"; } | ezra > "$folder/replies" 2>&1 &
    until [ -s "$folder/replies" ]; do sleep 0.02; done
    echo "cut $(cat "$folder/replies")"
    read -r _
    echo "XADD $1 * payload x" > "$folder/later"
    wait $!
    expect 'the lost connection' "$(sed 1d "$folder/replies")" 'Error: Server closed the connection'
    id=$(push "$1")
    expect claimed "$(ids_of "$(claim "$1" worker-1 5)")" "$id"
    ack "$1" "$id"
}

echo "version $(redis-cli --version | sed 's/redis-cli //')"
scenario produce-and-work produce_and_work
scenario order-and-batch order_and_batch
scenario retry retry
scenario dead-letter dead_letter
scenario blocking blocking
scenario heartbeat heartbeat
scenario pending pending
scenario transaction transaction
scenario inspect inspect
scenario reconnect reconnect
