<?php

/**
 * Symfony Messenger's Redis transport: send, receive, acknowledge, reject, take over, delete.
 *
 * The transport is used as Messenger's worker uses it: get(), then ack() or reject(). With its
 * defaults it acknowledges by XACK and rejects by XACK and XDEL; delete_after_ack adds the XDEL.
 */

declare(strict_types=1);

require '/usr/share/php/Symfony/Component/Messenger/autoload.php';
require '/usr/share/php/Symfony/Component/Messenger/Bridge/Redis/autoload.php';

use Symfony\Component\Messenger\Bridge\Redis\Transport\RedisTransport;
use Symfony\Component\Messenger\Bridge\Redis\Transport\RedisTransportFactory;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;

final class Order
{
    public function __construct(public int $number)
    {
    }
}

function transport(string $dsn, array $options = []): RedisTransport
{
    $factory = new RedisTransportFactory();

    return $factory->createTransport($dsn, $options + ['delete_after_ack' => true], new PhpSerializer());
}

/** @return array{Envelope, int} */
function receive(RedisTransport $transport): array
{
    $envelopes = [...$transport->get()];
    check(1 === count($envelopes), 'one task was expected, there are '.count($envelopes));

    return [$envelopes[0], $envelopes[0]->getMessage()->number];
}

function check(bool $holds, string $otherwise): void
{
    if (!$holds) {
        throw new RuntimeException($otherwise);
    }
}

[, $host, $port] = $argv;
$dsn = "redis://$host:$port/orders/workers/";
$first = transport($dsn.'first');
foreach ([1, 2, 3, 4] as $number) {
    $first->send(new Envelope(new Order($number)));
}

[$envelope, $number] = receive($first);
check(1 === $number, "task 1 was expected, not $number");
$first->ack($envelope);

[$envelope, $number] = receive($first);
check(2 === $number, "task 2 was expected, not $number");
$first->reject($envelope);

// Without delete_after_ack an acknowledged task is only XACKed.
[$envelope, $number] = receive($keeping = transport($dsn.'first', ['delete_after_ack' => false]));
check(3 === $number, "task 3 was expected, not $number");
$keeping->ack($envelope);

// A worker that is gone leaves its task to the next one of the same name, and to any other one once
// it has been idle for redeliver_timeout, in seconds.
[, $number] = receive($first);
check(4 === $number, "task 4 was expected, not $number");
[, $number] = receive(transport($dsn.'first'));
check(4 === $number, "task 4 was expected again, not $number");
$second = transport($dsn.'second', ['redeliver_timeout' => 1, 'claim_interval' => 1]);
for ($until = microtime(true) + 10; [] === $envelopes = [...$second->get()];) {
    check(microtime(true) < $until, 'task 4 was never taken over');
}
check(4 === $envelopes[0]->getMessage()->number, 'task 4 was expected to be taken over');
$second->ack($envelopes[0]);
check([] === [...$first->get()], 'nothing was expected to be left');
