"""Every protocol, by what its servers answer: that is healthy; with another id, or a little otherwise, it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.model.dialogue import Expect, Secure
from probe.model.words import Transport
from probe.probes.fitting import Fit, compared, fresh_ids
from probe.protocols import NAMED, told
from probe.spec.matrix.named import named

from . import recorded
from .recorded import ANSWERS, Recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model.dialogue import Dialogue, Pattern

WITHOUT_ID = {
    # The protocol has no room for one, before anybody has logged in.
    "amqp", "ceph-mon", "mysql", "nsqd", "nsqlookupd", "postgresql", "redis", "smtp", "ssh", "tftp", "zookeeper",
}  # fmt: skip


def dialogue(way: str) -> Dialogue:
    name, _, transport = way.partition("/")
    found = named(name, Transport(transport))
    assert found is not None
    return found


def waits(way: str) -> list[tuple[tuple[Pattern, ...], tuple[Pattern, ...]]]:
    """What each of its waits takes, and takes for ill."""
    steps = dialogue(way).steps
    return [(step.patterns, step.unhealthy) for step in steps if isinstance(step, Expect)] or [
        (step.yes + step.no, step.unhealthy) for step in steps if isinstance(step, Secure)
    ]


def found(way: str, answer: Recorded, ids: Mapping[str, bytes], number: int = 0) -> tuple[Fit, bool]:
    return compared(*waits(way)[number], answer.filled(ids), dict(ids))


def each(of: dict[str, tuple[Recorded, ...]]) -> list[tuple[str, Recorded]]:
    return [(way, answer) for way, answers in of.items() for answer in answers]


def test_none_is_left_out() -> None:
    ways = {f"{name}/{way}" for name, known in NAMED.items() for way in ("tcp", "udp") if getattr(known, way)}
    assert ANSWERS.keys() == ways - {"postgresql/tcp"}  # which begins TLS: below
    assert {way.partition("/")[0] for way, answers in ANSWERS.items() if not any(a.names for a in answers)} == (
        WITHOUT_ID - {"postgresql"}
    )


@pytest.mark.parametrize("way", ANSWERS)
def test_what_a_server_says_is_healthy(way: str) -> None:
    ids = fresh_ids(dialogue(way), "10.0.0.1")
    assert len(waits(way)) == len(ANSWERS[way])
    for number, answer in enumerate(ANSWERS[way]):
        assert found(way, answer, ids, number) == (Fit.YES, False)
        name, _, transport = way.partition("/")
    assert told(name, Transport(transport), b"".join(answer.filled(ids) for answer in ANSWERS[way]))


@pytest.mark.parametrize("way", [way for way, answers in ANSWERS.items() if any(answer.names for answer in answers)])
def test_the_id_is_demanded_back(way: str) -> None:
    """Every byte of it: an answer to somebody else's question is none."""
    ids = fresh_ids(dialogue(way), "10.0.0.1")
    for number, answer in enumerate(ANSWERS[way]):
        for name in answer.names:
            for place in range(len(ids[name])):
                other = bytearray(ids[name])
                other[place] ^= 1
                data = answer.filled({**ids, name: bytes(other)})
                assert compared(*waits(way)[number], data, ids)[0] is Fit.NO, (name, place)


@pytest.mark.parametrize(("way", "answer"), each(recorded.HEALTHY_TOO))
def test_said_otherwise_it_is_healthy_too(way: str, answer: Recorded) -> None:
    assert found(way, answer, fresh_ids(dialogue(way), "10.0.0.1")) == (Fit.YES, False)


@pytest.mark.parametrize(("way", "answer"), each(recorded.UNWELL))
def test_it_says_that_it_is_not_well(way: str, answer: Recorded) -> None:
    assert found(way, answer, fresh_ids(dialogue(way), "10.0.0.1")) == (Fit.YES, True)


@pytest.mark.parametrize(("way", "answer"), each(recorded.ANOTHER))
def test_what_comes_close_is_another(way: str, answer: Recorded) -> None:
    fit, _ = found(way, answer, fresh_ids(dialogue(way), "10.0.0.1"))
    assert fit in (Fit.NO, Fit.NOT_YET), (way, answer)


@pytest.mark.parametrize(("way", "answer"), each(recorded.LATER))
def test_what_comes_close_to_the_last_answer_is_another(way: str, answer: Recorded) -> None:
    fit, _ = found(way, answer, fresh_ids(dialogue(way), "10.0.0.1"), -1)
    assert fit is Fit.NO


@pytest.mark.parametrize("way", ANSWERS)
def test_no_beginning_of_an_answer_will_do(way: str) -> None:
    """What is cut short proves nothing: of an answer, its id must have come."""
    ids = fresh_ids(dialogue(way), "10.0.0.1")
    answer = ANSWERS[way][0]
    upto = len(Recorded(answer.text.partition("<")[0]).filled(ids)) if answer.names else 1
    for size in range(upto):
        assert compared(*waits(way)[0], answer.filled(ids)[:size], ids)[0] is not Fit.YES


@pytest.mark.parametrize(
    ("said", "fit"),
    [
        (b"S", (Fit.YES, False)),
        (b"N", (Fit.YES, False)),
        (b"E\0\0\0\x27Munsupported frontend protocol 12\0\0", (Fit.YES, False)),
        (b"E\0\0\0\x0fMtoo many\0\0", (Fit.YES, True)),
    ],
)
def test_postgresql_says_whether_it_speaks_tls(said: bytes, fit: tuple[Fit, bool]) -> None:
    assert compared(*waits("postgresql/tcp")[0], said, {}) == fit
