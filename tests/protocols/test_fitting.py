"""However an answer is cut, it fits in the end as it does at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.model.dialogue import Id, Known, Pattern
from probe.probes.fitting import Fit, best, fit

IDS = {"id": b"\x00\xff"}
KNOWN = st.builds(Known, st.binary(min_size=1, max_size=3))
MASKED = st.builds(lambda value: Known(value, b"\xf0" * len(value)), st.binary(min_size=1, max_size=3))
ID = st.sampled_from([Id("id", 2), Id("id", 2, digits=True)])
PATTERN = st.builds(
    Pattern,
    start=st.lists(st.one_of(KNOWN, MASKED, ID), max_size=3).map(tuple),
    expression=st.sampled_from([(), (Known(b"[^a]*a"),)]),
    least=st.integers(min_value=0, max_value=8),
    whole=st.booleans(),
)


def answers(pattern: Pattern) -> st.SearchStrategy[bytes]:
    """Bytes that begin as it wants, or not."""
    start = b"".join(
        part.value if isinstance(part, Known) else IDS["id"].hex().encode() if part.digits else IDS["id"]
        for part in pattern.start
    )
    return st.one_of(st.binary(max_size=20), st.binary(max_size=10).map(lambda rest: start + rest))


@given(st.data())
def test_a_beginning_of_what_fits_may_still_fit(data: st.DataObject) -> None:
    pattern = data.draw(PATTERN)
    answer = data.draw(answers(pattern))
    if fit(pattern, answer, IDS) is Fit.YES and not pattern.whole:
        assert all(fit(pattern, answer[:size], IDS) is not Fit.NO for size in range(len(answer)))


@given(st.data())
def test_what_does_not_fit_never_will(data: st.DataObject) -> None:
    pattern = data.draw(PATTERN)
    answer = data.draw(answers(pattern))
    if fit(pattern, answer, IDS) is Fit.NO:
        assert fit(pattern, answer + data.draw(st.binary(max_size=5)), IDS) is Fit.NO


@given(st.lists(PATTERN, max_size=4), st.binary(max_size=10))
def test_the_best_of_several_is_one_of_them(patterns: list[Pattern], answer: bytes) -> None:
    found = best(patterns, answer, IDS)
    assert found is Fit.NO or found in {fit(pattern, answer, IDS) for pattern in patterns}
