"""A short search for input that breaks a promise of `tests/fuzz.py`; a long one runs by hand."""

import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from tests.fuzz import SEEDS, TARGETS

# Text that a mutation puts in: what separates, escapes, ends or overflows.
PIECES = [*(bytes([byte]) for byte in b"\n\r\0\xff\\\"'{="), b"[" * 99, b"9" * 20, b"${A}"]


@st.composite
def mutated(draw: st.DrawFn, name: str) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS[name])))
    for piece in draw(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=4)):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 9))] = piece
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_seed_breaks_a_promise(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(suppress_health_check=[HealthCheck.differing_executors])
@given(data=st.data())
def test_no_mutation_breaks_a_promise(name: str, data: st.DataObject) -> None:
    mutation = data.draw(mutated(name) | st.binary(max_size=200))
    target(float(len(set(mutation))))
    TARGETS[name](mutation)
