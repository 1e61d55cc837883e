"""Campaigns: EZRA under faults, load and attack. A short run of each is in the suite.

`make soak` runs all of them for long and prints one table (`tests/faults/__main__.py`).
"""
