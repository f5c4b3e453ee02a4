from __future__ import annotations

from typing import Any

import pytest

from probe.model.result import Where
from probe.model.words import Cause, Expect, State, Verdict
from probe.report.route import route

from .rows import check

NETWORK = {"verdict": Verdict.BLOCKED, "cause": Cause.NETWORK, "state": State.FILTERED}
OTHER = {"verdict": Verdict.BLOCKED}


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (NETWORK | {"where": Where(address="10.9.9.9", hop=1, side="after")},
         "svc-1 10.9.9.9 ✗goes no further ·redis-1"),
        (NETWORK | {"where": Where(address="10.9.9.9", hop=3, side="at")},
         "svc-1 …2 devices 10.9.9.9 ✗rejects it ·redis-1"),
        (NETWORK | {"where": Where(hop=0, side="after")}, "svc-1 ✗stops here ·redis-1"),
        (NETWORK, "svc-1 ✗goes no further ·redis-1"),
        (OTHER | {"cause": Cause.SOURCE_FIREWALL}, "svc-1 ✗its own firewall ·redis-1"),
        (OTHER | {"cause": Cause.TARGET_FIREWALL, "where": Where(address="10.20.0.40", hop=2, side="at")},
         "svc-1 …1 device ✗its own firewall redis-1"),
        (OTHER | {"cause": Cause.RETURN_PATH}, "svc-1 redis-1 ✗the answer is lost ·svc-1"),
        (OTHER | {"cause": Cause.MTU}, "svc-1 ✗large data does not pass ·redis-1"),
        (OTHER, "svc-1 ?somewhere here, or at the target ·redis-1"),
        ({"verdict": Verdict.DOWN, "cause": Cause.NOT_LISTENING}, "svc-1 redis-1 ✗tcp 6379: nothing listens"),
        ({"verdict": Verdict.EXPOSED, "cause": Cause.LISTENING, "expect": Expect.BLOCK}, "svc-1 >open redis-1"),
        ({"verdict": Verdict.INCONCLUSIVE, "cause": Cause.NO_AGENT}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_it_ends_where_the_row_says(given: dict[str, Any], drawn: str) -> None:
    marks = {"cross": "✗", "unsure": "?", "open": ">", "beyond": "·", "gap": "…"}
    stops = route(check("svc-1", "redis-1", "redis", "flows[4]", **given))
    assert " ".join(marks.get(stop.kind, "") + stop.label for stop in stops) == drawn


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_can_be_drawn(cause: Cause) -> None:
    row = check("svc-1", "redis-1", "redis", "flows[4]", verdict=Verdict.MISMATCH, cause=cause)
    assert route(row)[0].label == "svc-1"
