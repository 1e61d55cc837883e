"""Frameworks and tools made for Redis Streams, unmodified, against EZRA.

`python -m tests.tools` installs them (into `.tools/`), runs a script for each and prints a table.
The scripts stand in `scripts/`, each of them using its tool as the tool's documentation shows;
`catalogue` says what a tool is, `working` and `stopped` list them. What a tool and the server say
to each other goes through `recorder`.
"""
