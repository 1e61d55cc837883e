#!/usr/bin/perl

# Redis and Redis::Fast, which have the same methods. They speak RESP2.
# Arguments: library host port queue-prefix protocol

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Report qw(scenario expect have_cut meanwhile);
use Time::HiRes 'sleep';

my ($library, $host, $port, $prefix) = @ARGV;
eval "require $library" or die $@;

# [connect]
# use Redis;    or Redis::Fast: then $library is the name of the one that you use.

sub connect_to {
    my ($host, $port) = @_;
    return $library->new(server => "$host:$port", reconnect => 60, every => 100_000);
}

# [/connect]

# [worker]
# Work on one queue until $stop says so. $handle gets a task's fields; if it dies, the task is tried
# again, and is dead after its last attempt.
sub work {
    my ($ezra, $queue, $handle, $stop) = @_;
    my @claim = (GROUP => 'workers', 'worker-1', COUNT => 1, BLOCK => 1000);
    until ($stop->()) {
        my $reply = $ezra->xreadgroup(@claim, STREAMS => $queue, '>') or next;
        for (@{ $reply->[0][1] }) {
            my ($id, $fields) = @$_;
            if (eval { $handle->({@$fields}); 1 }) {
                $ezra->xack($queue, 'workers', $id);
            }
            else {
                $ezra->xdel($queue, $id);    # In EZRA a nack: it deletes nothing.
            }
        }
    }
    return;
}

# [/worker]

my $GROUP  = 'workers';
my $WORKER = 'worker-1';

# Claim what there is, without waiting: a list of [id, [name, value, ...]].
sub claim {
    my ($ezra, $queue, %with) = @_;
    my ($worker, $count) = ($with{worker} // $WORKER, $with{count} // 1);
    my @words = (GROUP => $GROUP, $worker, COUNT => $count, STREAMS => $queue, '>');
    my $reply = $ezra->xreadgroup(@words);
    return $reply ? @{ $reply->[0][1] } : ();
}

# Claim the one task that there is: its id and its fields.
sub claim_one {
    my ($ezra, $queue) = @_;
    my @tasks = claim($ezra, $queue);
    expect('tasks claimed', scalar @tasks, 1);
    my ($id, $fields) = @{ $tasks[0] };
    return ($id, {@$fields});
}

sub ids_of { return [map { $_->[0] } @_] }

sub produce_and_work {
    my ($ezra, $queue) = @_;
    my $payload = "caf\xE9\x00\r\n";
    my $id      = $ezra->xadd($queue, '*', payload => $payload, to => 'alice');
    expect('XGROUP CREATE', $ezra->xgroup_create($queue, $GROUP, 0, 'MKSTREAM'), 'OK') for 1 .. 2;
    my ($claimed, $task) = claim_one($ezra, $queue);
    expect('id',       $claimed,                         $id);
    expect('payload',  $task->{payload},                 $payload);
    expect('header',   $task->{to},                      'alice');
    expect('attempts', $task->{attempts},                1);
    expect('XACK',     $ezra->xack($queue, $GROUP, $id), 1);
    expect('XLEN',     $ezra->xlen($queue),              0);
    return let_it_work($ezra, $queue);
}

# The worker's loop: its task fails at first and is done at the second attempt.
sub let_it_work {
    my ($ezra, $queue) = @_;
    $ezra->xadd($queue, '*', payload => 'again');
    my @attempts;
    my $handle = sub {
        my ($task) = @_;
        push @attempts, $task->{attempts};
        die "not yet\n" if @attempts == 1;
    };
    work($ezra, $queue, $handle, sub { @attempts == 2 });
    expect('attempts of the loop',   \@attempts, '1 2');
    expect('claimed after the loop', [claim($ezra, $queue)], '');
    return;
}

sub order_and_batch {
    my ($ezra, $queue) = @_;
    my @ids   = map { scalar $ezra->xadd($queue, '*', payload => $_) } 1 .. 5;
    my @tasks = claim($ezra, $queue, count => 5);
    expect('ids',      ids_of(@tasks),                     \@ids);
    expect('payloads', [map { $_->[1][1] } @tasks],        '1 2 3 4 5');
    expect('XACK',     $ezra->xack($queue, $GROUP, @ids), 5);
    my $nothing = $ezra->xreadgroup(GROUP => $GROUP, $WORKER, STREAMS => $queue, '>');
    expect('an empty queue', $nothing, undef);
    return;
}

sub retry {
    my ($ezra, $queue) = @_;
    my $id = $ezra->xadd($queue, '*', payload => 'x');
    claim_one($ezra, $queue);
    expect('XDEL', $ezra->xdel($queue, $id), 1);
    my ($again, $task) = claim_one($ezra, $queue);
    expect('id',       $again,                           $id);
    expect('attempts', $task->{attempts},                2);
    expect('XACK',     $ezra->xack($queue, $GROUP, $id), 1);
    return;
}

sub dead_letter {
    my ($ezra, $queue) = @_;
    my $dead = "${queue}::dead";
    my $id   = $ezra->xadd($queue, '*', payload => 'x', max_attempts => 1);
    claim_one($ezra, $queue);
    $ezra->xdel($queue, $id);
    expect('XLEN',   $ezra->xlen($dead), 1);
    expect('XRANGE', ids_of($ezra->xrange($dead, '-', '+')), $id);
    my ($claimed) = claim_one($ezra, $dead);
    expect('claimed', $claimed,                        $id);
    expect('XACK',    $ezra->xack($dead, $GROUP, $id), 1);
    expect('XLEN',    $ezra->xlen($dead),              0);
    return;
}

sub blocking {
    my ($ezra, $queue) = @_;
    my @claim = (GROUP => $GROUP, $WORKER, COUNT => 1);
    my $nothing = $ezra->xreadgroup(@claim, BLOCK => 300, STREAMS => $queue, '>');
    expect('an empty queue', $nothing, undef);
    meanwhile(sub {
        sleep 0.2;    # Most likely the worker is blocked by then; its task arrives in any case.
        connect_to($host, $port)->xadd($queue, '*', payload => 'arrived');
    });
    my $reply = $ezra->xreadgroup(@claim, BLOCK => 10_000, STREAMS => $queue, '>');
    my ($id, $fields) = @{ $reply->[0][1][0] };
    expect('arrived', {@$fields}->{payload}, 'arrived');
    expect('XACK', $ezra->xack($queue, $GROUP, $id), 1);
    return;
}

sub heartbeat {
    my ($ezra, $queue) = @_;
    my $id = $ezra->xadd($queue, '*', payload => 'x', visibility_timeout => 1);
    claim_one($ezra, $queue);
    for (1 .. 12) {
        sleep 0.1;
        expect('XCLAIM', scalar $ezra->xclaim($queue, $GROUP, $WORKER, 0, $id, 'JUSTID'), [$id]);
        expect('another worker', [claim($ezra, $queue, worker => 'worker-2')], '');
    }
    expect('XACK',   $ezra->xack($queue, $GROUP, $id),                                1);
    expect('XCLAIM', scalar $ezra->xclaim($queue, $GROUP, $WORKER, 0, $id, 'JUSTID'), []);
    return;
}

sub pending {
    my ($ezra, $queue) = @_;
    my $id = $ezra->xadd($queue, '*', payload => 'x');
    claim_one($ezra, $queue);
    my ($count, $lowest, $highest, $workers) = $ezra->xpending($queue, $GROUP);
    expect('XPENDING', [$count, $lowest, $highest, map { @$_ } @$workers], "1 $id $id $WORKER 1");
    my ($seen) = $ezra->xpending($queue, $GROUP, '-', '+', 10);
    expect('XPENDING - +', [@$seen[0, 1, 3]], "$id $WORKER 1");
    sleep 0.02;
    my (undef, $taken) = $ezra->xautoclaim($queue, $GROUP, 'worker-2', 1, '0-0');
    my %task = @{ $taken->[0][1] };
    expect('XAUTOCLAIM', [@{ ids_of(@$taken) }, $task{attempts}], "$id 2");
    expect('XACK', $ezra->xack($queue, $GROUP, $id), 1);
    return;
}

sub transaction {
    my ($ezra, $queue) = @_;
    my ($first, $second) = ("$queue:a", "$queue:b");
    my $id = $ezra->xadd($first, '*', payload => 1);
    claim_one($ezra, $first);
    $ezra->multi;
    $ezra->xadd($first,  '*', payload => 2);
    $ezra->xadd($second, '*', payload => 3);
    $ezra->xack($first, $GROUP, $id);
    my @results = $ezra->exec;
    expect('results', [scalar @results, $results[2]], '3 1');
    expect('XLEN', [scalar $ezra->xlen($first), scalar $ezra->xlen($second)], '1 1');
    return refused_as_a_whole($ezra, $first);
}

sub refused_as_a_whole {
    my ($ezra, $queue) = @_;
    $ezra->multi;
    $ezra->xadd($queue, '*',   payload => 4);
    $ezra->xadd($queue, '1-1', x       => 'y');
    die "an id that is too small was accepted\n" if eval { $ezra->exec; 1 };
    expect('XLEN', $ezra->xlen($queue), 1);
    return;
}

sub inspect {
    my ($ezra, $queue) = @_;
    my @ids = map { scalar $ezra->xadd($queue, '*', payload => $_) } 1 .. 2;
    $ezra->xgroup_create($queue, $GROUP, 0, 'MKSTREAM');
    expect('XRANGE',    ids_of($ezra->xrange($queue, '-', '+')),    \@ids);
    expect('XREVRANGE', ids_of($ezra->xrevrange($queue, '+', '-')), [reverse @ids]);
    claim_one($ezra, $queue);
    my %stream = $ezra->xinfo_stream($queue);
    expect('XINFO STREAM', [@stream{qw(length groups)}], '1 1');
    my %group = @{ ($ezra->xinfo_groups($queue))[0] };
    expect('XINFO GROUPS', [@group{qw(name pending)}], "$GROUP 1");
    my %worker = @{ ($ezra->xinfo_consumers($queue, $GROUP))[0] };
    expect('XINFO CONSUMERS', [@worker{qw(name pending)}], "$WORKER 1");
    $ezra->xack($queue, $GROUP, $ids[0]);
    return;
}

sub reconnect {
    my ($ezra, $queue) = @_;
    have_cut($ezra->client_id);
    my $id = $ezra->xadd($queue, '*', payload => 'x');    # It connects again by itself.
    expect('claimed', ids_of(claim($ezra, $queue, count => 5)), $id);
    expect('XACK', $ezra->xack($queue, $GROUP, $id), 1);
    return;
}

print "version @{[$library->VERSION]}\n";
my $ezra      = connect_to($host, $port);
my @scenarios = (
    'produce-and-work' => \&produce_and_work,
    'order-and-batch'  => \&order_and_batch,
    'retry'            => \&retry,
    'dead-letter'      => \&dead_letter,
    'blocking'         => \&blocking,
    'heartbeat'        => \&heartbeat,
    'pending'          => \&pending,
    'transaction'      => \&transaction,
    'inspect'          => \&inspect,
    'reconnect'        => \&reconnect,
);
while (my ($name, $steps) = splice @scenarios, 0, 2) {
    scenario($name, sub { $steps->($ezra, "$prefix:$name") });
}
