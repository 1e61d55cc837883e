<?php
/** phpredis, the extension. It speaks RESP2. Arguments: host port queue-prefix protocol */

require __DIR__ . '/report.php';

// [connect]
function connect(string $host, int $port): Redis
{
    $ezra = new Redis();
    $ezra->connect($host, $port);
    // A worker waits for as long as its BLOCK says; by default phpredis gives up after 60 s.
    $ezra->setOption(Redis::OPT_READ_TIMEOUT, -1);
    return $ezra;
}
// [/connect]

// [worker]
/**
 * Work on one queue until $stop says so. $handle gets a task's fields; if it throws, the task is
 * tried again, and is dead after its last attempt.
 */
function work(Redis $ezra, string $queue, callable $handle, callable $stop): void
{
    while (!$stop()) {
        $reply = $ezra->xReadGroup('workers', 'worker-1', [$queue => '>'], 1, 1000);
        foreach ($reply[$queue] ?? [] as $id => $task) {
            try {
                $handle($task);
                $ezra->xAck($queue, 'workers', [$id]);
            } catch (Exception) {
                $ezra->xDel($queue, [$id]); // In EZRA a nack: it deletes nothing.
            }
        }
    }
}
// [/worker]

const GROUP = 'workers';
const WORKER = 'worker-1';

[, $host, $port, $prefix] = $argv;

/** Claim what there is, without waiting: id => fields. */
function claim(Redis $ezra, string $queue, string $worker = WORKER, int $count = 1): array
{
    $reply = $ezra->xReadGroup(GROUP, $worker, [$queue => '>'], $count);
    return $reply[$queue] ?? [];
}

/** Claim the one task that there is: its id and its fields. */
function claimOne(Redis $ezra, string $queue): array
{
    $tasks = claim($ezra, $queue);
    expect('tasks claimed', count($tasks), 1);
    return [array_key_first($tasks), reset($tasks)];
}

function produceAndWork(Redis $ezra, string $queue): void
{
    $payload = "caf\xE9\x00\r\n";
    $id = $ezra->xAdd($queue, '*', ['payload' => $payload, 'to' => 'alice']);
    expect('XGROUP CREATE', $ezra->xGroup('CREATE', $queue, GROUP, '0', true), true);
    expect('XGROUP CREATE again', $ezra->xGroup('CREATE', $queue, GROUP, '0', true), true);
    [$claimed, $task] = claimOne($ezra, $queue);
    expect('id', $claimed, $id);
    expect('payload', $task['payload'] === $payload, true);
    expect('header', $task['to'], 'alice');
    expect('attempts', $task['attempts'], '1');
    expect('XACK', $ezra->xAck($queue, GROUP, [$id]), 1);
    expect('XLEN', $ezra->xLen($queue), 0);
    letItWork($ezra, $queue);
}

/** The worker's loop: its task fails at first and is done at the second attempt. */
function letItWork(Redis $ezra, string $queue): void
{
    $ezra->xAdd($queue, '*', ['payload' => 'again']);
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

function orderAndBatch(Redis $ezra, string $queue): void
{
    $payloads = ['1', '2', '3', '4', '5'];
    $push = fn (string $payload): string => $ezra->xAdd($queue, '*', ['payload' => $payload]);
    $ids = array_map($push, $payloads);
    $tasks = claim($ezra, $queue, count: 5);
    expect('ids', array_keys($tasks), $ids);
    expect('payloads', array_column($tasks, 'payload'), $payloads);
    expect('XACK', $ezra->xAck($queue, GROUP, $ids), 5);
    expect('an empty queue', $ezra->xReadGroup(GROUP, WORKER, [$queue => '>']), []);
}

function retry(Redis $ezra, string $queue): void
{
    $id = $ezra->xAdd($queue, '*', ['payload' => 'x']);
    claimOne($ezra, $queue);
    expect('XDEL', $ezra->xDel($queue, [$id]), 1);
    [$again, $task] = claimOne($ezra, $queue);
    expect('id', $again, $id);
    expect('attempts', $task['attempts'], '2');
    expect('XACK', $ezra->xAck($queue, GROUP, [$id]), 1);
}

function deadLetter(Redis $ezra, string $queue): void
{
    $dead = "$queue::dead";
    $id = $ezra->xAdd($queue, '*', ['payload' => 'x', 'max_attempts' => 1]);
    claimOne($ezra, $queue);
    $ezra->xDel($queue, [$id]);
    expect('XLEN', $ezra->xLen($dead), 1);
    expect('XRANGE', array_keys($ezra->xRange($dead, '-', '+')), [$id]);
    expect('claimed', claimOne($ezra, $dead)[0], $id);
    expect('XACK', $ezra->xAck($dead, GROUP, [$id]), 1);
    expect('XLEN', $ezra->xLen($dead), 0);
}

function blocking(Redis $ezra, string $queue): void
{
    global $host, $port;
    expect('an empty queue', $ezra->xReadGroup(GROUP, WORKER, [$queue => '>'], 1, 300), []);
    meanwhile(function () use ($host, $port, $queue): void {
        usleep(200_000); // Most likely the worker is blocked by then; its task arrives in any case.
        connect($host, $port)->xAdd($queue, '*', ['payload' => 'arrived']);
    });
    $reply = $ezra->xReadGroup(GROUP, WORKER, [$queue => '>'], 1, 10_000);
    $tasks = $reply[$queue] ?? [];
    expect('arrived', array_column($tasks, 'payload'), ['arrived']);
    expect('XACK', $ezra->xAck($queue, GROUP, array_keys($tasks)), 1);
}

function heartbeat(Redis $ezra, string $queue): void
{
    $id = $ezra->xAdd($queue, '*', ['payload' => 'x', 'visibility_timeout' => 1]);
    claimOne($ezra, $queue);
    for ($beat = 0; $beat < 12; $beat++) {
        usleep(100_000);
        $held = $ezra->xClaim($queue, GROUP, WORKER, 0, [$id], ['JUSTID']);
        expect('XCLAIM', $held, [$id]);
        expect('another worker', claim($ezra, $queue, 'worker-2'), []);
    }
    expect('XACK', $ezra->xAck($queue, GROUP, [$id]), 1);
    expect('XCLAIM', $ezra->xClaim($queue, GROUP, WORKER, 0, [$id], ['JUSTID']), []);
}

function pending(Redis $ezra, string $queue): void
{
    $id = $ezra->xAdd($queue, '*', ['payload' => 'x']);
    claimOne($ezra, $queue);
    expect('XPENDING', $ezra->xPending($queue, GROUP), [1, $id, $id, [[WORKER, '1']]]);
    [[$seen, $worker, , $attempts]] = $ezra->xPending($queue, GROUP, '-', '+', 10);
    expect('XPENDING - +', [$seen, $worker, $attempts], [$id, WORKER, 1]);
    usleep(20_000);
    // phpredis 5 has no method for it.
    $reply = $ezra->rawCommand('XAUTOCLAIM', $queue, GROUP, 'worker-2', 1, '0-0');
    [[$taken, $fields]] = $reply[1];
    expect('XAUTOCLAIM', [$taken, $fields[array_search('attempts', $fields) + 1]], [$id, '2']);
    expect('XACK', $ezra->xAck($queue, GROUP, [$id]), 1);
}

function transaction(Redis $ezra, string $queue): void
{
    [$first, $second] = ["$queue:a", "$queue:b"];
    $id = $ezra->xAdd($first, '*', ['payload' => '1']);
    claimOne($ezra, $first);
    $results = $ezra->multi()
        ->xAdd($first, '*', ['payload' => '2'])
        ->xAdd($second, '*', ['payload' => '3'])
        ->xAck($first, GROUP, [$id])
        ->exec();
    expect('results', [count($results), $results[2]], [3, 1]);
    expect('XLEN', [$ezra->xLen($first), $ezra->xLen($second)], [1, 1]);
    refusedAsAWhole($ezra, $first);
}

/**
 * phpredis 5 does not see an EXEC that is refused, by Redis neither: it waits for more until its read
 * timeout is over, and throws. So give a transaction a timeout.
 */
function refusedAsAWhole(Redis $ezra, string $queue): void
{
    $ezra->setOption(Redis::OPT_READ_TIMEOUT, 1);
    try {
        $ezra->multi()
            ->xAdd($queue, '*', ['payload' => '4'])
            ->xAdd($queue, '1-1', ['x' => 'y'])
            ->exec();
    } catch (RedisException) {
        expect('XLEN', $ezra->xLen($queue), 1);
        return;
    } finally {
        $ezra->setOption(Redis::OPT_READ_TIMEOUT, -1);
    }
    throw new Surprise('an id that is too small was accepted');
}

function inspect(Redis $ezra, string $queue): void
{
    $ids = [$ezra->xAdd($queue, '*', ['payload' => '1']), $ezra->xAdd($queue, '*', ['payload' => '2'])];
    $ezra->xGroup('CREATE', $queue, GROUP, '0', true);
    expect('XRANGE', array_keys($ezra->xRange($queue, '-', '+')), $ids);
    expect('XREVRANGE', array_keys($ezra->xRevRange($queue, '+', '-')), array_reverse($ids));
    claimOne($ezra, $queue);
    $stream = $ezra->xInfo('STREAM', $queue);
    expect('XINFO STREAM', [$stream['length'], $stream['groups']], [1, 1]);
    [$group] = $ezra->xInfo('GROUPS', $queue);
    expect('XINFO GROUPS', [$group['name'], $group['pending']], [GROUP, 1]);
    [$worker] = $ezra->xInfo('CONSUMERS', $queue, GROUP);
    expect('XINFO CONSUMERS', [$worker['name'], $worker['pending']], [WORKER, 1]);
    $ezra->xAck($queue, GROUP, [$ids[0]]);
}

function reconnect(Redis $ezra, string $queue): void
{
    haveCut($ezra->rawCommand('CLIENT', 'ID'));
    $id = $ezra->xAdd($queue, '*', ['payload' => 'x']); // phpredis connects again by itself.
    expect('claimed', array_keys(claim($ezra, $queue, count: 5)), [$id]);
    expect('XACK', $ezra->xAck($queue, GROUP, [$id]), 1);
}

echo 'version ', phpversion('redis'), "\n";
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
