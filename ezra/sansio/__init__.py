"""The pure core: a protocol and a queue without I/O, clock, threads, randomness or logging.

Two halves that do not know each other. `ezra.sansio.connection` turns a client's bytes into
commands and results into bytes; `ezra.sansio.queue` keeps tasks and moves them through their lives.
Read `model` first, the words that both share, then either half from its own top.
"""
