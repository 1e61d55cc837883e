<?php
/**
 * Predis 1 and 2. It speaks RESP2 and has no methods for consumer groups, so this sends the commands
 * as they are. Arguments: host port queue-prefix protocol
 */

require __DIR__ . '/report.php';

// [connect]
require 'Predis/Autoloader.php'; // With Composer: vendor/autoload.php
Predis\Autoloader::register();

use Predis\Client;
use Predis\Command\RawCommand;
use Predis\Transaction\MultiExec;

function connect(string $host, int $port): Client
{
    // A worker waits for as long as its BLOCK says; by default Predis gives up after 60 s.
    return new Client(['host' => $host, 'port' => $port, 'read_write_timeout' => -1]);
}

/** Send a command; return its reply. An error is a Predis\Response\ServerException. */
function command(Client|MultiExec $ezra, string ...$words): mixed
{
    return $ezra->executeCommand(RawCommand::create(...$words));
}
// [/connect]

// [worker]
/** Return the tasks of a reply to XREADGROUP, as id => fields. */
function tasksOf(?array $reply): array
{
    $tasks = [];
    foreach ($reply[0][1] ?? [] as [$id, $flat]) {
        foreach (array_chunk($flat, 2) as [$name, $value]) {
            $tasks[$id][$name] = $value;
        }
    }
    return $tasks;
}

/**
 * Work on one queue until $stop says so. $handle gets a task's fields; if it throws, the task is
 * tried again, and is dead after its last attempt.
 */
function work(Client $ezra, string $queue, callable $handle, callable $stop): void
{
    $claim = ['XREADGROUP', 'GROUP', 'workers', 'worker-1', 'BLOCK', '1000', 'STREAMS', $queue, '>'];
    while (!$stop()) {
        foreach (tasksOf(command($ezra, ...$claim)) as $id => $task) {
            try {
                $handle($task);
                command($ezra, 'XACK', $queue, 'workers', $id);
            } catch (Exception) {
                command($ezra, 'XDEL', $queue, $id); // In EZRA a nack: it deletes nothing.
            }
        }
    }
}
// [/worker]

const GROUP = 'workers';
const WORKER = 'worker-1';

[, $host, $port, $prefix] = $argv;

/** Push a task; return its id. */
function push(Client $ezra, string $queue, string ...$fields): string
{
    return command($ezra, 'XADD', $queue, '*', ...$fields);
}

/** Claim what there is, without waiting: id => fields. */
function claim(Client $ezra, string $queue, string $worker = WORKER, string $count = '1'): array
{
    $words = ['XREADGROUP', 'GROUP', GROUP, $worker, 'COUNT', $count, 'STREAMS', $queue, '>'];
    return tasksOf(command($ezra, ...$words));
}

/** Claim the one task that there is: its id and its fields. */
function claimOne(Client $ezra, string $queue): array
{
    $tasks = claim($ezra, $queue);
    expect('tasks claimed', count($tasks), 1);
    return [array_key_first($tasks), reset($tasks)];
}

/** Ack a task, and expect that it counts. */
function ack(Client $ezra, string $queue, string $id): void
{
    expect('XACK', command($ezra, 'XACK', $queue, GROUP, $id), 1);
}

/** Return the names and values of a flat list, as Redis' XINFO has them. */
function named(array $flat): array
{
    return array_combine(
        array_column(array_chunk($flat, 2), 0),
        array_column(array_chunk($flat, 2), 1),
    );
}

function produceAndWork(Client $ezra, string $queue): void
{
    $payload = "caf\xE9\x00\r\n";
    $id = push($ezra, $queue, 'payload', $payload, 'to', 'alice');
    foreach (['XGROUP CREATE', 'XGROUP CREATE again'] as $what) {
        $reply = command($ezra, 'XGROUP', 'CREATE', $queue, GROUP, '0', 'MKSTREAM');
        expect($what, (string) $reply, 'OK');
    }
    [$claimed, $task] = claimOne($ezra, $queue);
    expect('id', $claimed, $id);
    expect('payload', $task['payload'] === $payload, true);
    expect('header', $task['to'], 'alice');
    expect('attempts', $task['attempts'], '1');
    ack($ezra, $queue, $id);
    expect('XLEN', command($ezra, 'XLEN', $queue), 0);
    letItWork($ezra, $queue);
}

/** The worker's loop: its task fails at first and is done at the second attempt. */
function letItWork(Client $ezra, string $queue): void
{
    push($ezra, $queue, 'payload', 'again');
    $attempts = [];
    $handle = function (array $task) use (&$attempts): void {
        $attempts[] = $task['attempts'];
        if (count($attempts) === 1) {
            throw new RuntimeException('not yet');
        }
    };
    work($ezra, $queue, $handle, function () use (&$attempts): bool {
        return count($attempts) === 2;
    });
    expect('attempts of the loop', $attempts, ['1', '2']);
    expect('claimed after the loop', claim($ezra, $queue), []);
}

function orderAndBatch(Client $ezra, string $queue): void
{
    $payloads = ['1', '2', '3', '4', '5'];
    $ids = array_map(fn ($payload) => push($ezra, $queue, 'payload', $payload), $payloads);
    $tasks = claim($ezra, $queue, count: '5');
    expect('ids', array_keys($tasks), $ids);
    expect('payloads', array_column($tasks, 'payload'), $payloads);
    expect('XACK', command($ezra, 'XACK', $queue, GROUP, ...$ids), 5);
    $words = ['XREADGROUP', 'GROUP', GROUP, WORKER, 'STREAMS', $queue, '>'];
    expect('an empty queue', command($ezra, ...$words), null);
}

function retry(Client $ezra, string $queue): void
{
    $id = push($ezra, $queue, 'payload', 'x');
    claimOne($ezra, $queue);
    expect('XDEL', command($ezra, 'XDEL', $queue, $id), 1);
    [$again, $task] = claimOne($ezra, $queue);
    expect('id', $again, $id);
    expect('attempts', $task['attempts'], '2');
    ack($ezra, $queue, $id);
}

function deadLetter(Client $ezra, string $queue): void
{
    $dead = "$queue::dead";
    $id = push($ezra, $queue, 'payload', 'x', 'max_attempts', '1');
    claimOne($ezra, $queue);
    command($ezra, 'XDEL', $queue, $id);
    expect('XLEN', command($ezra, 'XLEN', $dead), 1);
    expect('XRANGE', array_column(command($ezra, 'XRANGE', $dead, '-', '+'), 0), [$id]);
    expect('claimed', claimOne($ezra, $dead)[0], $id);
    ack($ezra, $dead, $id);
    expect('XLEN', command($ezra, 'XLEN', $dead), 0);
}

function blocking(Client $ezra, string $queue): void
{
    global $host, $port;
    $wait = fn (string $milliseconds): array => tasksOf(command(
        $ezra, 'XREADGROUP', 'GROUP', GROUP, WORKER, 'BLOCK', $milliseconds, 'STREAMS', $queue, '>',
    ));
    expect('an empty queue', $wait('300'), []);
    meanwhile(function () use ($host, $port, $queue): void {
        usleep(200_000); // Most likely the worker is blocked by then; its task arrives in any case.
        push(connect($host, $port), $queue, 'payload', 'arrived');
    });
    $tasks = $wait('10000');
    expect('arrived', array_column($tasks, 'payload'), ['arrived']);
    ack($ezra, $queue, array_key_first($tasks));
}

function heartbeat(Client $ezra, string $queue): void
{
    $id = push($ezra, $queue, 'payload', 'x', 'visibility_timeout', '1');
    claimOne($ezra, $queue);
    $renew = ['XCLAIM', $queue, GROUP, WORKER, '0', $id, 'JUSTID'];
    for ($beat = 0; $beat < 12; $beat++) {
        usleep(100_000);
        expect('XCLAIM', command($ezra, ...$renew), [$id]);
        expect('another worker', claim($ezra, $queue, 'worker-2'), []);
    }
    ack($ezra, $queue, $id);
    expect('XCLAIM', command($ezra, ...$renew), []);
}

function pending(Client $ezra, string $queue): void
{
    $id = push($ezra, $queue, 'payload', 'x');
    claimOne($ezra, $queue);
    expect('XPENDING', command($ezra, 'XPENDING', $queue, GROUP), [1, $id, $id, [[WORKER, '1']]]);
    $seen = command($ezra, 'XPENDING', $queue, GROUP, '-', '+', '10');
    [[$pending, $worker, , $attempts]] = $seen;
    expect('XPENDING - +', [$pending, $worker, $attempts], [$id, WORKER, 1]);
    usleep(20_000);
    $reply = command($ezra, 'XAUTOCLAIM', $queue, GROUP, 'worker-2', '1', '0-0');
    [[$taken, $flat]] = $reply[1];
    expect('XAUTOCLAIM', [$taken, named($flat)['attempts']], [$id, '2']);
    ack($ezra, $queue, $id);
}

function transaction(Client $ezra, string $queue): void
{
    [$first, $second] = ["$queue:a", "$queue:b"];
    $id = push($ezra, $first, 'payload', '1');
    claimOne($ezra, $first);
    $results = $ezra->transaction(function ($together) use ($first, $second, $id): void {
        command($together, 'XADD', $first, '*', 'payload', '2');
        command($together, 'XADD', $second, '*', 'payload', '3');
        command($together, 'XACK', $first, GROUP, $id);
    });
    expect('results', [count($results), $results[2]], [3, 1]);
    $lengths = [command($ezra, 'XLEN', $first), command($ezra, 'XLEN', $second)];
    expect('XLEN', $lengths, [1, 1]);
    refusedAsAWhole($ezra, $first);
}

function refusedAsAWhole(Client $ezra, string $queue): void
{
    try {
        $ezra->transaction(function ($together) use ($queue): void {
            command($together, 'XADD', $queue, '*', 'payload', '4');
            command($together, 'XADD', $queue, '1-1', 'x', 'y');
        });
    } catch (Predis\Response\ServerException) {
        expect('XLEN', command($ezra, 'XLEN', $queue), 1);
        return;
    }
    throw new Surprise('an id that is too small was accepted');
}

function inspect(Client $ezra, string $queue): void
{
    $ids = [push($ezra, $queue, 'payload', '1'), push($ezra, $queue, 'payload', '2')];
    command($ezra, 'XGROUP', 'CREATE', $queue, GROUP, '0', 'MKSTREAM');
    expect('XRANGE', array_column(command($ezra, 'XRANGE', $queue, '-', '+'), 0), $ids);
    $backwards = array_column(command($ezra, 'XREVRANGE', $queue, '+', '-'), 0);
    expect('XREVRANGE', $backwards, array_reverse($ids));
    claimOne($ezra, $queue);
    $stream = named(command($ezra, 'XINFO', 'STREAM', $queue));
    expect('XINFO STREAM', [$stream['length'], $stream['groups']], [1, 1]);
    $group = named(command($ezra, 'XINFO', 'GROUPS', $queue)[0]);
    expect('XINFO GROUPS', [$group['name'], $group['pending']], [GROUP, 1]);
    $worker = named(command($ezra, 'XINFO', 'CONSUMERS', $queue, GROUP)[0]);
    expect('XINFO CONSUMERS', [$worker['name'], $worker['pending']], [WORKER, 1]);
    ack($ezra, $queue, $ids[0]);
}

function reconnect(Client $ezra, string $queue): void
{
    haveCut(command($ezra, 'CLIENT', 'ID'));
    try {
        $id = push($ezra, $queue, 'payload', 'x');
    } catch (Predis\Connection\ConnectionException) {
        $id = push($ezra, $queue, 'payload', 'x'); // The next command connects again.
    }
    $tasks = claim($ezra, $queue, count: '5');
    expect('claimed', array_key_last($tasks), $id);
    expect('how often it was pushed', count($tasks), 1);
    ack($ezra, $queue, $id);
}

echo 'version ', Client::VERSION, "\n";
$ezra = connect($host, $port);
$scenarios = [
    'produce-and-work' => 'produceAndWork',
    'order-and-batch' => 'orderAndBatch',
    'retry' => 'retry',
    'dead-letter' => 'deadLetter',
    'blocking' => 'blocking',
    'heartbeat' => 'heartbeat',
    'pending' => 'pending',
    'transaction' => 'transaction',
    'inspect' => 'inspect',
    'reconnect' => 'reconnect',
];
foreach ($scenarios as $name => $steps) {
    scenario($name, fn () => $steps($ezra, "$prefix:$name"));
}
