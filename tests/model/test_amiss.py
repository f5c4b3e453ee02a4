"""What is said of a service that is there and not as it should be: never more than is known, and whom to ask."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model import dialogue, story
from probe.model.certificate import Certificate, complaints
from probe.model.dialogue import Dialogue, Known, Pattern, Send
from probe.model.ends import Answer, Ends
from probe.model.http import HttpDemand
from probe.model.judge import judge
from probe.model.observation import Failure, Holder, Observation, Operation, PortUse, Proof, TargetView
from probe.model.tls import TlsDemand, TlsFacts
from probe.model.words import Expect, Phase, Protocol, State

from .test_story import NOON

DIALOGUE = Dialogue(steps=(Send((Known(b"hi"),)), dialogue.Expect(patterns=(Pattern(start=(Known(b"ho"),)),))))
HUNG, CLOSED, RESET = (
    Observation(state=State.OPEN, operation=Operation.RECEIVE, failure=failure, proof=Proof.ACCEPTED)
    for failure in (Failure.TIMEOUT, Failure.CLOSED, Failure.RESET)
)
DECLINED = Observation(state=State.OPEN, operation=Operation.RECEIVE, proof=Proof.ANSWERED, said=b"N")
NO_TLS = Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.TIMEOUT, proof=Proof.ACCEPTED)
WANTS = Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.BAD_ANSWER, text="it wants TLS")
STRANGE = Observation(state=State.OPEN, operation=Operation.RECEIVE, failure=Failure.BAD_ANSWER, proof=Proof.ANSWERED)
QUIET = Observation(state=State.OPEN_FILTERED, operation=Operation.RECEIVE, failure=Failure.TIMEOUT)
WEB = {"protocol": Protocol.HTTPS, "dialogue": None}
MOVED = WEB | {"status": (200,)}


def status(number: int, **more: Any) -> Observation:
    return Observation(state=State.OPEN, operation=Operation.HTTP, proof=Proof.ANSWERED, status=number, **more)


@pytest.mark.parametrize(
    ("seen", "by", "more", "cause", "said", "to_do"),
    [
        (HUNG, "redis-server (pid 7)", {"holder": Holder.SPEAKER}, "unhealthy", "does not answer", "it hangs"),
        (RESET, "redis-server (pid 7)", {"holder": Holder.SPEAKER}, "unhealthy", "hangs up", "PROXY header"),
        (CLOSED, "socat (pid 7)", {"holder": Holder.RELAY}, "unhealthy", "hangs up", "what it passes"),
        (
            CLOSED,
            "haproxy (pid 7)",
            {"holder": Holder.BALANCER},
            "unhealthy",
            "hangs up",
            "what it passes connections on",
        ),
        # It may wait for HTTP, or for a back end that hangs: nobody can tell.
        (
            HUNG,
            "haproxy (pid 7)",
            {"holder": Holder.BALANCER},
            None,
            "does not answer",
            "what it passes connections on",
        ),
        (HUNG, "haproxy (pid 7)", WEB | {"holder": Holder.BALANCER}, "unhealthy", "does not answer", "passes"),
        (
            RESET,
            "nginx (pid 7)",
            WEB | {"holder": Holder.BALANCER},
            "unhealthy",
            "hangs up",
            "what it passes connections on",
        ),
        (CLOSED, "redis-server (pid 7)", WEB | {"holder": Holder.ANOTHER}, "wrong-service", "speaks another", "not db"),
        (HUNG, "mine (pid 7)", {}, None, "mine (pid 7) accepts the connection, but does not answer", "is it db"),
        (HUNG, "", {}, None, "something accepts the connection", "does it run"),
        (STRANGE, "sshd (pid 7)", {"holder": Holder.SPEAKER}, "wrong-service", "does not speak", "the log of sshd"),
        (WANTS, "redis-server (pid 7)", {}, "tls", "it wants TLS", "Have it asked in TLS"),
        (NO_TLS, "redis-server (pid 7)", {}, "tls", "no TLS comes of it: it does not answer", "whether it hangs"),
        (status(302), "", MOVED, "http-status", "HTTP 302", "let redirects be followed"),
        (status(302), "", MOVED | {"http": HttpDemand(redirects=2)}, "http-status", "HTTP 302", "in a row of its own"),
        (DECLINED, "", {"tls": TlsDemand(days=3)}, "tls", "declines TLS", "Switch TLS on"),
        (status(400), "", {"protocol": Protocol.HTTP, "dialogue": None}, "http-status", "HTTP 400", "wants HTTPS"),
        (status(502), "nginx (pid 7)", WEB, "http-status", "HTTP 502", "what nginx (pid 7) on b passes requests on to"),
        (status(200, failure=Failure.UNHEALTHY), "", WEB, "unhealthy", "the body has not in it", "correct `body`"),
        (status(503), "", WEB, "unhealthy", "there, and not well", "the log of db"),
        (
            status(503),
            "haproxy (pid 7)",
            WEB | {"holder": Holder.BALANCER},
            "unhealthy",
            "not well",
            "haproxy (pid 7) on b",
        ),
    ],
)
def test_a_service_that_is_amiss(
    situation: Any, seen: Observation, by: str, more: dict[str, Any], cause: str | None, said: str, to_do: str
) -> None:
    view = TargetView(use=PortUse.LISTENER, by=by, bound=("0.0.0.0",))
    case = situation(**{"phase": Phase.LIVE, "seen": seen, "view": view, "dialogue": DIALOGUE, **more})
    found = judge(case)
    assert found.cause == cause
    assert said in story.detail(case, found, "")
    assert to_do in story.advice(case, found, "1")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (Ends(left=True, arrived=True, answered=Answer.NOTHING), "no answer leaves: chronyd (pid 7) need not serve a"),
        (None, "or the way is shut"),
    ],
)
def test_a_datagram_without_an_answer(situation: Any, ends: Ends | None, said: str) -> None:
    """No stand-in can be opened where something listens: nobody is sent to do that."""
    view = TargetView(use=PortUse.LISTENER, by="chronyd (pid 7)")
    case = situation(phase=Phase.LIVE, seen=QUIET, view=view, dialogue=DIALOGUE, protocol=Protocol.UDP, ends=ends)
    found = judge(case)
    assert said in story.detail(case, found, "")
    assert "--phase" not in story.advice(case, found, "1")


@pytest.mark.parametrize(
    ("distrust", "said"),
    [
        ("Hostname mismatch, certificate is not valid for 'a'.", ["made out to b, not to a"]),
        ("certificate has expired", ["made out to b, not to a", "has expired on 2026-06-15"]),
        ("self-signed certificate", ["not trusted: self-signed", "made out to b, not to a", "has expired on"]),
    ],
)
def test_a_complaint_is_made_once(distrust: str, said: list[str]) -> None:
    own = Certificate(names=("b",), not_before=NOON.replace(year=2025), not_after=NOON)
    days = None if "mismatch" in distrust else 0
    facts = TlsFacts(version="1.3", distrust=distrust)
    found = complaints(TlsDemand(name=True, days=days), facts, (own,), "a", NOON.replace(year=2027))
    assert len(found) == len(said)
    for sentence, words in zip(found, said, strict=True):
        assert words in sentence


def test_what_said_nothing_is_not_said_to_answer(situation: Any) -> None:
    view = TargetView(use=PortUse.LISTENER, by="dnsmasq (pid 7)")
    ends = Ends(left=True, arrived=True, passed=True)
    forbidden = {"phase": Phase.LIVE, "expect": Expect.BLOCK, "view": view, "protocol": Protocol.UDP}
    case = situation(seen=QUIET, ends=ends, **forbidden)
    assert (
        story.detail(case, judge(case), "")
        == "dnsmasq (pid 7) can be reached by a on this port of b, and no flow allows it"
    )
