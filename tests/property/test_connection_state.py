"""Laws of `ezra.sansio.connection_state`: every pair of state and input, none left out."""

from __future__ import annotations

from itertools import product

import pytest

from ezra.sansio.connection_state import CLOSING, DEAF, TRANSITIONS, Input, State, transition
from ezra.sansio.errors import LocalProtocolError

IN_ANY_CASE = {
    Input.BARRIER: State.HELD,
    Input.QUIT: State.LEAVING,
    Input.END: State.ENDED,
    Input.GARBAGE: State.ERROR,
    Input.LOST: State.CLOSED,
}
LEGAL = {
    State.STRANGER: {
        Input.BAD: State.STRANGER,
        Input.ANSWERED: State.STRANGER,
        **IN_ANY_CASE,
    },
    State.OPEN: {
        Input.COMMAND: State.OPEN,
        Input.BAD: State.OPEN,
        Input.BEGIN: State.COLLECTING,
        Input.ANSWERED: State.OPEN,
        **IN_ANY_CASE,
    },
    State.COLLECTING: {
        Input.COMMAND: State.COLLECTING,
        Input.BAD: State.SPOILED,
        Input.FINISH: State.OPEN,
        Input.ANSWERED: State.COLLECTING,
        **IN_ANY_CASE,
    },
    State.SPOILED: {
        Input.COMMAND: State.SPOILED,
        Input.BAD: State.SPOILED,
        Input.FINISH: State.OPEN,
        Input.ANSWERED: State.SPOILED,
        **IN_ANY_CASE,
    },
    State.HELD: {
        Input.ANSWERED: State.OPEN,
        Input.UNKNOWN: State.STRANGER,
        Input.LOST: State.CLOSED,
    },
    State.LEAVING: {Input.ANSWERED: State.CLOSED, Input.LOST: State.CLOSED},
    State.ENDED: {Input.ANSWERED: State.CLOSED, Input.LOST: State.CLOSED},
    State.ERROR: {Input.ANSWERED: State.ERROR, Input.LOST: State.ERROR},
    State.CLOSED: {Input.LOST: State.CLOSED},
}


@pytest.mark.parametrize(("state", "given"), list(product(State, Input)))
def test_every_pair(state: State, given: Input) -> None:
    """A pair leads where the protocol says, or is the driver's mistake and changes nothing."""
    following = LEGAL[state].get(given)
    if following is None:
        assert (state, given) not in TRANSITIONS
        with pytest.raises(LocalProtocolError, match=f"is {state.value} has no use for"):
            transition(state, given)
    else:
        assert transition(state, given) is following


def test_an_error_is_for_ever() -> None:
    """From ERROR and CLOSED nothing leads back to reading."""
    for state in (State.ERROR, State.CLOSED):
        assert set(LEGAL[state].values()) == {state}


@pytest.mark.parametrize("first", [State.OPEN, State.STRANGER])
def test_every_state_is_reached(first: State) -> None:
    """No state is there for nothing, wherever a connection begins."""
    reached = {first}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(State)


def test_a_stranger_has_nothing_carried_out() -> None:
    """Before the password no command is let through; the one way out is an answered barrier."""
    reading = {State.OPEN, State.COLLECTING, State.SPOILED}
    steps = {
        given: after for (before, given), after in TRANSITIONS.items() if before is State.STRANGER
    }
    assert not steps.keys() & {Input.COMMAND, Input.BEGIN, Input.FINISH}
    assert not set(steps.values()) & reading
    assert {
        before
        for (before, _), after in TRANSITIONS.items()
        if after is State.OPEN and before not in reading
    } == {State.HELD}


def test_what_states_mean() -> None:
    """Where nothing more is read nothing is kept; only where commands may come does one stay."""
    reading = {State.STRANGER, State.OPEN, State.COLLECTING, State.SPOILED}
    assert set(State) - CLOSING == reading | {State.HELD, State.LEAVING}
    assert set(State) - DEAF == reading | {State.HELD, State.ENDED}
