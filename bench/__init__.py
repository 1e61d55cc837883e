"""The load generator: what EZRA can do, measured from outside, beside Redis where it is installed.

    python -m bench           the full report
    python -m bench --quick   a first impression

One process, one thread, one core: every connection is driven by a small generator function (a
script) that yields what to send and is resumed with the reply. Nothing is counted that was not
verified: an error reply, a lost, doubled or invented task fails the run.
"""
