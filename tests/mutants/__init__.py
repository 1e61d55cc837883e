"""Mutants: EZRA broken on purpose, one promise at a time, to see whether the suite notices.

A suite that stays green over broken code proves nothing. `make mutants` applies each mutant to a
copy of this tree and runs tests there until one of them is red; a mutant that survives is a test
that is missing. A quick test of the suite itself sees to it that every mutant still applies.
"""
