"""What a service that is asked in its own protocol comes to, by what it said and by who it is."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model import dialogue
from probe.model.dialogue import Dialogue, Known, Pattern, Send
from probe.model.ends import Answer, Ends
from probe.model.judge import judge
from probe.model.observation import Failure, Holder, Observation, Operation, PortUse, Proof, Receipts, TargetView
from probe.model.tls import HUNG_UP, NO_TLS, TlsDemand
from probe.model.words import Cause, Phase, Protocol, State, Verdict

DIALOGUE = Dialogue(steps=(Send((Known(b"hi"),)), dialogue.Expect(patterns=(Pattern(start=(Known(b"ho"),)),))))
SAID = {"state": State.OPEN, "operation": Operation.RECEIVE, "proof": Proof.ANSWERED}
SILENT = {"state": State.OPEN, "operation": Operation.RECEIVE, "proof": Proof.ACCEPTED}


@pytest.mark.parametrize(
    ("seen", "more", "verdict", "cause"),
    [
        (SAID, {}, Verdict.PASS, None),
        (SAID, {"view": TargetView(use=PortUse.FREE)}, Verdict.INCONCLUSIVE, Cause.CONFLICTING_EVIDENCE),
        (SAID | {"failure": Failure.UNHEALTHY}, {}, Verdict.MISMATCH, Cause.UNHEALTHY),
        (SAID | {"failure": Failure.BAD_ANSWER}, {}, Verdict.MISMATCH, Cause.WRONG_SERVICE),
        (SAID | {"failure": Failure.BAD_ANSWER, "operation": Operation.TLS}, {}, Verdict.MISMATCH, Cause.TLS),
        # What is demanded of TLS is demanded of a service that declined it too.
        (SAID, {"tls": TlsDemand(minimum="1.2")}, Verdict.MISMATCH, Cause.TLS),
        # Nothing was said: what that means depends on who did not say it.
        (SILENT | {"failure": Failure.TIMEOUT}, {}, Verdict.MISMATCH, None),
        (SILENT | {"failure": Failure.TIMEOUT}, {"holder": Holder.SPEAKER}, Verdict.MISMATCH, Cause.UNHEALTHY),
        (SILENT | {"failure": Failure.TIMEOUT}, {"holder": Holder.RELAY}, Verdict.MISMATCH, Cause.UNHEALTHY),
        (SILENT | {"failure": Failure.TIMEOUT}, {"holder": Holder.BALANCER}, Verdict.MISMATCH, None),
        (SILENT | {"failure": Failure.CLOSED}, {"holder": Holder.BALANCER}, Verdict.MISMATCH, Cause.UNHEALTHY),
        (SILENT | {"failure": Failure.RESET}, {"holder": Holder.ANOTHER}, Verdict.MISMATCH, Cause.WRONG_SERVICE),
        # The target's kernel did not confirm what was sent: no service was slow.
        (SILENT | {"failure": Failure.TIMEOUT, "operation": Operation.SEND}, {}, Verdict.BLOCKED, Cause.PAYLOAD),
        (
            SILENT | {"failure": Failure.TIMEOUT, "operation": Operation.SEND},
            {"ends": Ends(left=True, arrived=True, overflow=True)},
            Verdict.DOWN,
            Cause.OVERLOAD,
        ),
        # A server need not answer a stranger over UDP.
        (
            {"state": State.OPEN_FILTERED, "failure": Failure.TIMEOUT},
            {"protocol": Protocol.UDP, "holder": Holder.SPEAKER},
            Verdict.INCONCLUSIVE,
            None,
        ),
        (
            {"state": State.OPEN_FILTERED, "failure": Failure.TIMEOUT},
            {"protocol": Protocol.UDP, "holder": Holder.ANOTHER},
            Verdict.MISMATCH,
            Cause.WRONG_SERVICE,
        ),
        # An expression that cannot be asked is our own fault.
        ({"state": State.ERROR, "failure": Failure.OTHER}, {}, Verdict.INCONCLUSIVE, Cause.RESOURCES),
    ],
)
def test_a_service_that_is_asked_in_its_own_protocol(
    situation: Any, seen: dict[str, Any], more: dict[str, Any], verdict: Verdict, cause: Cause | None
) -> None:
    given = {"phase": Phase.LIVE, "view": TargetView(use=PortUse.LISTENER), "dialogue": DIALOGUE, **more}
    found = judge(situation(seen=Observation(**seen), **given))
    assert (found.verdict, found.cause) == (verdict, cause)


NONSENSE, HANGS_UP = {"failure": Failure.BAD_ANSWER, "text": NO_TLS}, {"failure": Failure.RESET, "text": HUNG_UP}
REFUSES = {"failure": Failure.BAD_ANSWER, "text": "it demands a client certificate"}
SHUT, DUMB = {"failure": Failure.CLOSED}, {"failure": Failure.TIMEOUT}


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.HTTPS, Protocol.TLS])
@pytest.mark.parametrize(
    ("seen", "holder", "cause"),
    [
        # What it said, or for what it hung up, is proof that it speaks no TLS; who it is, that it never would.
        *((seen, holder, Cause.TLS) for seen in (NONSENSE, HANGS_UP) for holder in Holder if holder != "another"),
        (NONSENSE, Holder.ANOTHER, Cause.WRONG_SERVICE),
        (HANGS_UP, Holder.ANOTHER, Cause.WRONG_SERVICE),
        # Whoever complains in TLS speaks it.
        *((REFUSES, holder, Cause.TLS) for holder in Holder),
        # Who hangs up on everybody, or is silent, may have a dead back end.
        (SHUT, Holder.UNKNOWN, None),
        *((SHUT, holder, Cause.UNHEALTHY) for holder in (Holder.SPEAKER, Holder.RELAY, Holder.BALANCER)),
        (DUMB, Holder.RELAY, Cause.UNHEALTHY),
        *((seen, Holder.ANOTHER, Cause.WRONG_SERVICE) for seen in (SHUT, DUMB)),
        # It had agreed to shake hands.
        *((seen | {"proof": Proof.ANSWERED}, Holder.UNKNOWN, Cause.TLS) for seen in (SHUT, DUMB)),
    ],
)
def test_no_tls_session_came_of_it(
    situation: Any, protocol: Protocol, seen: dict[str, Any], holder: Holder, cause: Cause | None
) -> None:
    given = {"phase": Phase.LIVE, "view": TargetView(use=PortUse.LISTENER), "protocol": protocol, "holder": holder}
    given |= {"dialogue": DIALOGUE} if protocol is Protocol.TCP else {}
    arrived = {"ends": Ends(left=True, arrived=True, answered=Answer.ACCEPT, returned=Answer.ACCEPT)}
    found = judge(situation(seen=Observation(**SILENT | {"operation": Operation.TLS} | seen), **given, **arrived))
    assert (found.verdict, found.cause) == (Verdict.MISMATCH, cause)


@pytest.mark.parametrize(
    ("ends", "verdict", "cause"),
    [
        (None, Verdict.MISMATCH, None),
        (Ends(left=True), Verdict.MISMATCH, None),
        (Ends(left=True, arrived=True, answered=Answer.ACCEPT, data_lost=True), Verdict.BLOCKED, Cause.PAYLOAD),
    ],
)
@pytest.mark.parametrize("holder", [holder for holder in Holder if holder != "another"])
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.HTTPS, Protocol.TLS])
def test_a_device_on_the_way_may_hang_up_on_a_handshake_too(
    situation: Any, protocol: Protocol, holder: Holder, ends: Ends | None, verdict: Verdict, cause: Cause | None
) -> None:
    given = {"phase": Phase.LIVE, "view": TargetView(use=PortUse.LISTENER), "protocol": protocol, "holder": holder}
    given |= {"dialogue": DIALOGUE} if protocol is Protocol.TCP else {}
    found = judge(situation(seen=Observation(**SILENT | {"operation": Operation.TLS} | HANGS_UP), ends=ends, **given))
    assert (found.verdict, found.cause) == (verdict, cause)


def test_a_stand_in_hangs_up_on_nobody(situation: Any) -> None:
    seen = Observation(**SILENT | {"operation": Operation.TLS} | HANGS_UP)
    given = {"view": TargetView(use=PortUse.STAND_IN), "protocol": Protocol.HTTPS, "receipts": Receipts(arrived=True)}
    found = judge(situation(seen=seen, **given))
    assert (found.verdict, found.cause) == (Verdict.BLOCKED, Cause.PAYLOAD)


@pytest.mark.parametrize(
    ("protocol", "holder", "cause"),
    [
        # A service without TLS may wait for the end of a line.
        (Protocol.TCP, Holder.SPEAKER, Cause.TLS),
        (Protocol.TCP, Holder.UNKNOWN, Cause.TLS),
        (Protocol.TCP, Holder.BALANCER, None),
        (Protocol.HTTPS, Holder.SPEAKER, Cause.UNHEALTHY),
        (Protocol.HTTPS, Holder.BALANCER, Cause.UNHEALTHY),
        (Protocol.HTTPS, Holder.UNKNOWN, None),
    ],
)
def test_silence_in_a_handshake(situation: Any, protocol: Protocol, holder: Holder, cause: Cause | None) -> None:
    given = {"phase": Phase.LIVE, "view": TargetView(use=PortUse.LISTENER), "protocol": protocol, "holder": holder}
    given |= {"dialogue": DIALOGUE} if protocol is Protocol.TCP else {}
    found = judge(situation(seen=Observation(**SILENT | {"operation": Operation.TLS} | DUMB), **given))
    assert (found.verdict, found.cause) == (Verdict.MISMATCH, cause)
