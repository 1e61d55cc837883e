<?php
/** How a program tells the runner what it has found: a line for each scenario. */

/** A scenario found something else than it should have. */
class Surprise extends RuntimeException
{
}

/** Run one scenario and say how it went. The others run even if it fails. */
function scenario(string $name, callable $steps): void
{
    try {
        $steps();
        echo "ok $name\n";
    } catch (Throwable $error) {
        echo "FAIL $name: ", get_class($error), ': ', strtok($error->getMessage(), "\n"), "\n";
    }
}

/** Throw Surprise unless the two are equal. */
function expect(string $what, mixed $got, mixed $wanted): void
{
    if ($got !== $wanted) {
        throw new Surprise("$what: " . json_encode($got) . ', not ' . json_encode($wanted));
    }
}

/** Have the runner cut the connection with this id; return once it has. */
function haveCut(int $clientId): void
{
    echo "cut $clientId\n";
    fgets(STDIN);
}

/** Run this in a process of its own, which shares no connection with ours. */
function meanwhile(callable $steps): void
{
    if (pcntl_fork() === 0) {
        $steps();
        posix_kill(getmypid(), SIGKILL); // It must not tidy up what is ours.
    }
}
