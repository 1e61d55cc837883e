"""Every Redis client that can be had here, each in its own language, run against EZRA.

`python -m tests.clients` installs them (into `.clients/`), runs one program for each and prints a
table. The programs stand in a folder for each language; `catalogue` says what a client is,
`python_clients`, `node_clients` and `other_languages` list them.
"""
