"""The life of a task: every (status, event) pair, and every guard over small ranges."""

from __future__ import annotations

import itertools

import pytest

from ezra.sansio.errors import IllegalTransition
from ezra.sansio.model import NackMode, Status
from ezra.sansio.queue.lifecycle import (
    TRANSITIONS,
    Event,
    failure_event,
    nack_event,
    release_event,
    transition,
)

# The table of the specification, by hand: from, event, to.
LEGAL = """
    absent     push      available
    available  claim     in_flight
    in_flight  ack       done
    in_flight  retry     available
    in_flight  exhaust   dead
    in_flight  release   available
    in_flight  return    dead
    in_flight  extend    in_flight
    available  late ack  done
    dead       late ack  done
    dead       claim     in_flight
    dead       redrive   available
    available  expire    absent
    done       expire    absent
    available  delete    absent
    dead       delete    absent
    done       delete    absent
    available  quarantine  dead
    in_flight  quarantine  dead
    dead       quarantine  dead
"""

EXPECTED = {
    (Status(words[0]), Event(" ".join(words[1:-1]))): Status(words[-1])
    for words in (line.split() for line in LEGAL.strip().splitlines())
}

PAIRS = list(itertools.product(Status, Event))
ATTEMPTS = [(attempts, most) for most in range(1, 5) for attempts in range(most + 1)]


@pytest.mark.parametrize(("status", "event"), PAIRS)
def test_every_pair_leads_where_the_specification_says_or_is_illegal(
    status: Status, event: Event
) -> None:
    """What is in the specification's table leads there; everything else raises."""
    if (status, event) in EXPECTED:
        assert transition(status, event) is EXPECTED[status, event]
    else:
        with pytest.raises(IllegalTransition):
            transition(status, event)


def test_an_illegal_transition_says_what_was_asked() -> None:
    """The error names the status and the event."""
    with pytest.raises(IllegalTransition, match="done cannot late ack"):
        transition(Status.DONE, Event.LATE_ACK)


def test_the_table_is_the_specifications() -> None:
    """There is no other entry in the table."""
    assert TRANSITIONS == EXPECTED


@pytest.mark.parametrize(("attempts", "most"), ATTEMPTS)
def test_a_failure_is_retried_exactly_while_attempts_are_left(attempts: int, most: int) -> None:
    """RETRY while attempts < max_attempts; and never for a task from the dead-letter queue."""
    left = Event.RETRY if attempts < most else Event.EXHAUST
    assert failure_event(attempts, most, from_dead=False) is left
    assert failure_event(attempts, most, from_dead=True) is Event.EXHAUST


def test_undoing_a_claim_puts_the_task_back_where_it_came_from() -> None:
    """RELEASE to the queue, RETURN to the dead-letter queue."""
    assert release_event(from_dead=False) is Event.RELEASE
    assert release_event(from_dead=True) is Event.RETURN


@pytest.mark.parametrize(("attempts", "most"), ATTEMPTS)
@pytest.mark.parametrize("from_dead", [False, True])
def test_a_nack_means_what_its_mode_says(attempts: int, most: int, *, from_dead: bool) -> None:
    """FATAL kills, SILENT undoes the claim, FAIL is a failed attempt."""

    def event(mode: NackMode) -> Event:
        return nack_event(mode, attempts, most, from_dead=from_dead)

    assert event(NackMode.FATAL) is Event.EXHAUST
    assert event(NackMode.SILENT) is (Event.RETURN if from_dead else Event.RELEASE)
    left = attempts < most and not from_dead
    assert event(NackMode.FAIL) is (Event.RETRY if left else Event.EXHAUST)


@pytest.mark.parametrize(("attempts", "most"), ATTEMPTS)
@pytest.mark.parametrize("from_dead", [False, True])
@pytest.mark.parametrize("mode", NackMode)
def test_every_guard_picks_an_event_that_a_task_in_flight_knows(
    mode: NackMode, attempts: int, most: int, *, from_dead: bool
) -> None:
    """No guard can lead into an illegal transition."""
    for event in (
        nack_event(mode, attempts, most, from_dead=from_dead),
        failure_event(attempts, most, from_dead=from_dead),
        release_event(from_dead=from_dead),
    ):
        assert (Status.IN_FLIGHT, event) in TRANSITIONS
