"""Input that no honest client sends: where it comes from, and what it is tried on.

`words` gathers what EZRA listens for, `soup` cooks requests and rubbish of it, `pure_server` is a
whole EZRA without sockets, and `targets` are the laws that any bytes must leave standing. The tests
use them with hypothesis, `make fuzz` with a fuzzer that is guided by coverage (`__main__`), and
`tests.faults.soup` on a server's port.
"""
