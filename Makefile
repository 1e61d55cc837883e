# Everything that one does in this checkout. `make help` lists it.
#
# Nothing needs to be prepared: each target first brings the virtual environment .venv up to date
# (scripts/set_up.py), which takes a moment the first time and nothing after that.
# ARGS is handed on:  make run ARGS="--port 5000"   make test ARGS="tests/property -x"

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test check coverage bench bench-quick clients tools fuzz soak mutants docs clean \
        test-freethreaded ready-to-run ready-to-test ready-to-fuzz ready-to-check

VENV := .venv/bin/python
ARGS ?=

# What the caller's shell has set up for other projects is not ours. The last of these would have each
# of the suite's several hundred processes compile all of EZRA again, which takes longer than most tests.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

# The least coverage, in per cent: of the pure core, and of everything around it. What is missing there
# runs in processes of its own (__main__), on other systems (the watcher without epoll), or answers
# faults and races that no test provokes on purpose.
CORE_FLOOR := 100
REST_FLOOR := 97

# How many processes share the suite. Most of its tests wait for a disk, a socket or a process of
# their own now and then, so two cores are kept busy by three of them.
SIDE_BY_SIDE ?= 3

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: ready-to-run  ## serve on 127.0.0.1:42002, with the data in ./ezra-data
	@exec $(VENV) -m ezra $(ARGS)

test: ready-to-test check  ## the checks, then the whole test suite with its coverage floors
ifneq ($(strip $(ARGS)),)
	$(VENV) -m pytest $(ARGS)
else
	@rm -f .coverage .coverage.*
	$(VENV) -m pytest --numprocesses $(SIDE_BY_SIDE) --dist worksteal --cov --cov-report=
	@$(call floor,$(CORE_FLOOR),--include='ezra/sansio/*')
	@$(call floor,$(REST_FLOOR),--omit='ezra/sansio/*')
endif

# Silent when the floor holds, so that pytest's own closing line ends the output.
floor = report=$$($(VENV) -m coverage report --fail-under=$(1) $(2)) || { echo "$$report"; exit 1; }

coverage: ready-to-test  ## what the last whole test run did not reach
	@$(VENV) -m coverage report

check: ready-to-check  ## lint, format, types and import contracts
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	$(VENV) -m mypy
	$(VENV) -m mypy scripts docs examples
	$(VENV) -c 'from importlinter.cli import lint_imports_command as main; main()'

bench: ready-to-test  ## the benchmarks' full report, within six minutes
	@$(VENV) -m bench $(ARGS)

bench-quick: ready-to-test  ## a first impression, within a minute or so
	@$(VENV) -m bench --quick $(ARGS)

clients: ready-to-test  ## one scenario with every Redis client there is, in its own language
	@$(VENV) -m tests.clients $(ARGS)

tools: ready-to-test  ## the frameworks and tools of Redis Streams, unmodified
	@$(VENV) -m tests.tools $(ARGS)

fuzz: ready-to-fuzz  ## a fuzzer guided by coverage; ARGS="--seconds 60 --target session"
	@$(VENV) -m tests.fuzz $(ARGS)

soak: ready-to-fuzz  ## every campaign of faults, load and attack for two minutes, and one table
	@$(VENV) -m tests.faults $(ARGS)

mutants: ready-to-test  ## break a copy of EZRA in every way of tests/mutants; the suite must notice
	@$(VENV) -m tests.mutants $(ARGS)

test-freethreaded: ready-to-run  ## the suite on a CPython without the GIL, built the first time
	@$(VENV) -m scripts.free_threaded $(ARGS)

docs: ready-to-run  ## write again those parts of docs/ that are generated
	$(VENV) docs/generate.py

clean:  ## remove whatever make made; the tasks in ezra-data stay
	rm -rf .venv .clients .tools .fuzz .free-threaded build *.egg-info .coverage .coverage.* .hypothesis \
	    .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

set-up = python=$$(scripts/find-python) && "$$python" -m scripts.set_up

ready-to-run:
	@$(set-up) client

ready-to-test:
	@$(set-up) client test

ready-to-fuzz:
	@$(set-up) client test fuzz

ready-to-check:
	@$(set-up) client test check
