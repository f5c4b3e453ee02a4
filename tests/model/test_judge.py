"""What was seen, and what it comes to: a table to read, and rules that hold for every combination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.certificate import Certificate
from probe.model.ends import Ends, Stuck
from probe.model.http import HttpDemand
from probe.model.judge import Judgement, Situation, http_healthy, judge
from probe.model.observation import Failure, Icmp, Observation, Operation, PortUse, Proof, Receipts, TargetView
from probe.model.tls import TlsDemand, TlsFacts
from probe.model.words import Cause, Expect, Listen, Phase, Protocol, State, Verdict

SOURCE, TARGET, ROUTER = "10.0.0.1", "10.0.0.2", "10.0.9.254"
PRE, LIVE, AUTO = Phase.PRE_INSTALL, Phase.LIVE, Phase.AUTO


def icmp(sender: str) -> Observation:
    return Observation(
        state=State.REJECTED,
        operation=Operation.CONNECT,
        failure=Failure.ICMP,
        icmp=Icmp(family=4, type=3, code=13, sender=sender),
        local=SOURCE,
    )


def unreachable(sender: str) -> Observation:
    """A device could not deliver it, or says so."""
    said = Icmp(family=4, type=3, code=1, sender=sender)
    return seen(State.UNREACHABLE, Failure.ICMP, operation=Operation.CONNECT, icmp=said)


def seen(state: State, failure: Failure | None = None, proof: Proof = Proof.NONE, **more: Any) -> Observation:
    return Observation(state=state, failure=failure, proof=proof, local=SOURCE, **more)


# What a source may come back with.
KEYED = seen(State.OPEN, proof=Proof.KEYED)
ACCEPTED = seen(State.OPEN, proof=Proof.ACCEPTED)
ANSWERED = seen(State.OPEN, proof=Proof.ANSWERED)
STRANGER = seen(State.OPEN, Failure.BAD_ANSWER, Proof.ACCEPTED)
MUTE = seen(State.OPEN, Failure.TIMEOUT, Proof.ACCEPTED)
CUT = seen(State.OPEN, Failure.RESET, Proof.ACCEPTED)
BAD_TLS = seen(State.OPEN, Failure.BAD_ANSWER, Proof.ACCEPTED, operation=Operation.TLS)
HTTP_503 = seen(State.OPEN, proof=Proof.ANSWERED, status=503)
HTTP_502 = seen(State.OPEN, proof=Proof.ANSWERED, status=502)
BAD_BODY = seen(State.OPEN, Failure.UNHEALTHY, Proof.ANSWERED, status=200, operation=Operation.HTTP)
SHAKEN = seen(State.OPEN, proof=Proof.ANSWERED, operation=Operation.TLS, tls=TlsFacts(version="1.2", chain=(b"x",)))
SHAKEN_503 = seen(State.OPEN, proof=Proof.ANSWERED, status=503, tls=TlsFacts(version="1.2", chain=(b"x",)))
DISTRUSTED = seen(
    State.OPEN, Failure.BAD_ANSWER, Proof.ACCEPTED, operation=Operation.TLS, tls=TlsFacts(distrust="self-signed")
)
NOW = datetime(2026, 6, 15, tzinfo=UTC)
SHOWN = Certificate(names=("a.example",), not_before=NOW - timedelta(1), not_after=NOW + timedelta(8))
HTTP_200 = seen(State.OPEN, proof=Proof.ANSWERED, status=200)
REFUSED = seen(State.CLOSED, Failure.REFUSED)
REFUSED_BY_ICMP = seen(State.CLOSED, Failure.REFUSED, icmp=Icmp(family=4, type=3, code=3, sender=TARGET))
SILENT = seen(State.FILTERED, Failure.TIMEOUT)
UNANSWERED = seen(State.OPEN_FILTERED, Failure.TIMEOUT)
NO_ROUTE = seen(State.UNREACHABLE, Failure.NO_ROUTE)
UNREACHABLE = seen(State.UNREACHABLE, Failure.HOST_UNREACHABLE)
EPERM = seen(State.REJECTED, Failure.NOT_PERMITTED)
NO_FILES = seen(State.ERROR, Failure.RESOURCES)
TOO_LATE = seen(State.ERROR, Failure.TIMEOUT)
MET_ITSELF = seen(State.ERROR, Failure.SELF_CONNECT)
NO_NAME = seen(State.ERROR, Failure.NOT_RESOLVED)

# What the target may say of the port.
STAND_IN, LISTENER, ELSEWHERE, FREE, OUTGOING, DENIED, UNKNOWN = (
    TargetView(use=PortUse(use))
    for use in ("stand-in", "listener", "elsewhere", "free", "outgoing", "denied", "unknown")
)
MET = {"receipts": Receipts(answered=True)}
CAME = {"receipts": Receipts(arrived=True)}
STARVED = {"receipts": Receipts(starved=True)}
SOME = {"listen": Listen.SOME}
ACTIVE = {"listen": Listen.ACTIVE}
DIALLED = {"itself": True}
UDP = {"protocol": Protocol.UDP}
ALIVE = {"alive": True}
THERE = {"there": True}
NOBODY_NEAR = {"ends": Ends(left=False, stuck=Stuck.NEIGHBOUR)}
KEPT_IN = {"ends": Ends(left=False, near=True)}
ASTRAY = {"astray": "10.0.0.9 is an address of c"}
AGENTLESS = {"agentless": True}
NO_SOURCE = {"source_problem": Cause.NO_AGENT}
NO_TARGET = {"target_problem": Cause.NO_AGENT}
LOST_TARGET = {"target_problem": Cause.AGENT_LOST}

# phase, what the target says, what the source saw, what else is known → verdict, cause
REACH = [
    # a stand-in listens
    (PRE, STAND_IN, KEYED, {}, "pass", None),
    (AUTO, STAND_IN, KEYED, LOST_TARGET, "pass", None),
    (PRE, STAND_IN, SILENT, {}, "blocked", None),
    (PRE, STAND_IN, SILENT, MET, "blocked", "return-path"),
    (PRE, STAND_IN, SILENT, LOST_TARGET, "inconclusive", "agent-lost"),
    (PRE, STAND_IN, SILENT, STARVED, "inconclusive", "resources"),
    (PRE, STAND_IN, MUTE, STARVED, "inconclusive", "resources"),
    (PRE, STAND_IN, KEYED, STARVED, "pass", None),
    (PRE, STAND_IN, REFUSED, {}, "blocked", None),  # never "down": it does listen
    (PRE, STAND_IN, icmp(ROUTER), {}, "blocked", "network"),
    (PRE, STAND_IN, icmp(TARGET), {}, "blocked", "target-firewall"),
    (PRE, STAND_IN, icmp(SOURCE), {}, "blocked", "source-firewall"),
    (PRE, STAND_IN, icmp(""), {}, "blocked", None),
    (PRE, STAND_IN, EPERM, {}, "blocked", "source-firewall"),
    (PRE, STAND_IN, NO_ROUTE, {}, "blocked", "no-route"),
    (PRE, STAND_IN, UNREACHABLE, {}, "blocked", None),
    (PRE, STAND_IN, STRANGER, {}, "mismatch", "intercepted"),
    (PRE, STAND_IN, ACCEPTED, {}, "mismatch", "intercepted"),
    (PRE, STAND_IN, MUTE, {}, "mismatch", "intercepted"),
    (PRE, STAND_IN, MUTE, CAME, "blocked", "payload"),
    (PRE, STAND_IN, CUT, MET, "blocked", "payload"),
    (PRE, STAND_IN, STRANGER, CAME, "mismatch", "intercepted"),
    (PRE, STAND_IN, BAD_TLS, {}, "mismatch", "intercepted"),
    (PRE, STAND_IN, NO_FILES, {}, "inconclusive", "resources"),
    (PRE, STAND_IN, MET_ITSELF, {}, "inconclusive", "resources"),
    (PRE, STAND_IN, TOO_LATE, {}, "inconclusive", "timeout"),
    (PRE, STAND_IN, NO_NAME, {}, "mismatch", "dns"),
    (PRE, STAND_IN, SILENT, ASTRAY, "mismatch", "dns"),
    (PRE, STAND_IN, icmp(ROUTER), ASTRAY, "mismatch", "dns"),
    (PRE, LISTENER, None, ASTRAY, "mismatch", "port-taken"),
    (LIVE, LISTENER, ACCEPTED, ASTRAY, "mismatch", "dns"),
    (PRE, STAND_IN, None, {}, "inconclusive", "timeout"),
    (PRE, STAND_IN, None, NO_SOURCE, "inconclusive", "no-agent"),
    # before the installation, and the port is not free
    (PRE, LISTENER, None, {}, "mismatch", "port-taken"),
    (PRE, OUTGOING, None, {}, "inconclusive", "resources"),
    (PRE, DENIED, None, {}, "inconclusive", "resources"),
    (PRE, UNKNOWN, None, NO_TARGET, "inconclusive", "no-agent"),
    (PRE, UNKNOWN, SILENT, LOST_TARGET, "inconclusive", "agent-lost"),
    (PRE, UNKNOWN, ACCEPTED, AGENTLESS, "pass", None),
    (PRE, UNKNOWN, SILENT, AGENTLESS, "inconclusive", "no-agent"),
    # the service itself
    (LIVE, LISTENER, ACCEPTED, {}, "pass", None),
    (LIVE, LISTENER, HTTP_200, {}, "pass", None),
    (LIVE, LISTENER, HTTP_503, {}, "mismatch", "unhealthy"),
    (LIVE, LISTENER, HTTP_503, {"status": (200,)}, "mismatch", "unhealthy"),
    (LIVE, LISTENER, HTTP_502, {}, "mismatch", "http-status"),
    (LIVE, LISTENER, BAD_BODY, {}, "mismatch", "unhealthy"),
    (LIVE, LISTENER, BAD_BODY, {"status": (204,)}, "mismatch", "http-status"),
    (LIVE, LISTENER, HTTP_503, {"status": (503,)}, "pass", None),
    (LIVE, LISTENER, HTTP_200, {"status": (204,)}, "mismatch", "http-status"),
    (LIVE, LISTENER, BAD_TLS, {}, "mismatch", "tls"),
    (LIVE, LISTENER, STRANGER, {}, "mismatch", "wrong-service"),
    (LIVE, LISTENER, MUTE, {}, "mismatch", None),
    (LIVE, LISTENER, SILENT, {}, "blocked", None),
    (LIVE, LISTENER, REFUSED, {}, "blocked", None),
    (LIVE, LISTENER, icmp(ROUTER), {}, "blocked", "network"),
    (AUTO, LISTENER, ACCEPTED, {}, "pass", None),
    (LIVE, FREE, REFUSED, {}, "down", "not-listening"),
    (LIVE, FREE, REFUSED, SOME, "inconclusive", None),
    (LIVE, FREE, SILENT, {}, "blocked", None),
    (LIVE, FREE, ACCEPTED, {}, "inconclusive", "conflicting-evidence"),
    (LIVE, ELSEWHERE, REFUSED, {}, "down", "bound-elsewhere"),
    (LIVE, ELSEWHERE, ACCEPTED, {}, "inconclusive", "conflicting-evidence"),
    (LIVE, LISTENER, UNANSWERED, UDP, "inconclusive", None),
    (LIVE, LISTENER, ANSWERED, UDP, "pass", None),
    (LIVE, LISTENER, REFUSED, LOST_TARGET, "inconclusive", "agent-lost"),
    # nobody on the target speaks for it
    (LIVE, UNKNOWN, ACCEPTED, NO_TARGET, "pass", None),
    (LIVE, UNKNOWN, SILENT, NO_TARGET, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, REFUSED, AGENTLESS, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, REFUSED, {**AGENTLESS, **ALIVE}, "blocked", None),
    (LIVE, UNKNOWN, icmp(ROUTER), AGENTLESS, "blocked", "network"),
    (LIVE, UNKNOWN, icmp(TARGET), AGENTLESS, "blocked", None),  # a closed port is no rejection
    (LIVE, UNKNOWN, REFUSED_BY_ICMP, {**UDP, **AGENTLESS}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, UNANSWERED, {**UDP, **AGENTLESS}, "inconclusive", "no-agent"),
    # that it could not be delivered, said or not, says nothing of a rule where the target may be off
    (LIVE, UNKNOWN, unreachable(ROUTER), NO_TARGET, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, unreachable(ROUTER), AGENTLESS, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, unreachable(ROUTER), LOST_TARGET, "inconclusive", "agent-lost"),
    (LIVE, UNKNOWN, unreachable(ROUTER), {**UDP, **NO_TARGET}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, unreachable(ROUTER), {**NO_TARGET, **THERE}, "blocked", "network"),
    (LIVE, UNKNOWN, SILENT, {**NO_TARGET, **THERE}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, unreachable(TARGET), AGENTLESS, "blocked", None),
    (LIVE, LISTENER, unreachable(ROUTER), {}, "blocked", "network"),
    (LIVE, UNKNOWN, unreachable(SOURCE), NO_TARGET, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, unreachable(SOURCE), {**NO_TARGET, **NOBODY_NEAR}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, SILENT, {**NO_TARGET, **NOBODY_NEAR}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, UNANSWERED, {**UDP, **NO_TARGET, **NOBODY_NEAR}, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, SILENT, {**NO_TARGET, **NOBODY_NEAR, **THERE}, "blocked", "network"),
    (LIVE, UNKNOWN, unreachable(SOURCE), {**NO_TARGET, **KEPT_IN}, "blocked", "source-firewall"),
    (LIVE, UNKNOWN, SILENT, {**NO_TARGET, **KEPT_IN}, "blocked", "source-firewall"),
    (LIVE, UNKNOWN, NO_ROUTE, AGENTLESS, "blocked", "no-route"),
    (LIVE, UNKNOWN, EPERM, AGENTLESS, "blocked", "source-firewall"),
]
ITSELF = [
    (PRE, STAND_IN, None, {}, "pass", None),
    (PRE, LISTENER, None, {}, "mismatch", "port-taken"),
    (LIVE, LISTENER, None, {}, "pass", None),
    (AUTO, LISTENER, None, {}, "pass", None),
    (LIVE, FREE, None, {}, "down", "not-listening"),
    (LIVE, FREE, None, SOME, "pass", None),
    (LIVE, FREE, None, ACTIVE, "down", "not-listening"),  # a pass would make it the active member
    (PRE, LISTENER, None, SOME, "pass", None),  # the service takes another port of the range
    (LIVE, LISTENER, ANSWERED, DIALLED, "pass", None),
    (LIVE, LISTENER, SILENT, DIALLED, "blocked", None),  # its own firewall is in the way of its own address
    (PRE, STAND_IN, SILENT, DIALLED, "blocked", None),
    (PRE, STAND_IN, None, DIALLED, "inconclusive", "timeout"),
    (LIVE, ELSEWHERE, None, {}, "down", "bound-elsewhere"),
    (LIVE, DENIED, None, {}, "inconclusive", "resources"),
    (LIVE, OUTGOING, None, {}, "inconclusive", "resources"),
    (LIVE, UNKNOWN, None, NO_TARGET, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, None, {}, "inconclusive", "timeout"),
]
BLOCK = [
    (PRE, STAND_IN, SILENT, {}, "pass", None),
    (PRE, STAND_IN, REFUSED, {}, "pass", None),
    (PRE, STAND_IN, icmp(ROUTER), {}, "pass", None),
    (PRE, STAND_IN, KEYED, {}, "exposed", "stand-in"),
    (PRE, STAND_IN, SILENT, MET, "exposed", "stand-in"),  # it came through; only the way back is shut
    (PRE, STAND_IN, None, MET, "exposed", "stand-in"),
    (PRE, STAND_IN, SILENT, STARVED, "inconclusive", "resources"),
    (PRE, STAND_IN, ACCEPTED, CAME, "exposed", "stand-in"),
    (PRE, STAND_IN, SILENT, LOST_TARGET, "inconclusive", "agent-lost"),
    (PRE, STAND_IN, REFUSED, ASTRAY, "inconclusive", None),
    (PRE, STAND_IN, REFUSED, {**ASTRAY, **MET}, "exposed", "stand-in"),
    (LIVE, LISTENER, ACCEPTED, ASTRAY, "inconclusive", None),
    (PRE, STAND_IN, None, {}, "inconclusive", "timeout"),
    (PRE, STAND_IN, None, NO_SOURCE, "inconclusive", "no-agent"),
    (PRE, STAND_IN, NO_FILES, {}, "inconclusive", "resources"),
    (PRE, DENIED, None, {}, "inconclusive", "resources"),
    (LIVE, LISTENER, ACCEPTED, {}, "exposed", "listening"),
    (LIVE, LISTENER, CUT, {}, "exposed", "listening"),  # accepted, then reset: the way is open
    (LIVE, LISTENER, SILENT, {}, "pass", None),
    (LIVE, LISTENER, UNANSWERED, UDP, "inconclusive", None),
    (LIVE, FREE, REFUSED, {}, "pass", None),
    (LIVE, FREE, UNANSWERED, UDP, "pass", None),
    (LIVE, UNKNOWN, SILENT, NO_TARGET, "inconclusive", "no-agent"),
    (LIVE, UNKNOWN, SILENT, ALIVE, "pass", None),
    (LIVE, UNKNOWN, REFUSED, NO_TARGET, "pass", None),
    (LIVE, UNKNOWN, ACCEPTED, NO_TARGET, "exposed", "listening"),
]


# what the matrix demands of a handshake, what the source saw, what else is known → verdict, cause
HANDSHAKES = {
    "nothing": (None, SHAKEN, {}, "pass", None),
    "old-enough": (TlsDemand(minimum="1.2"), SHAKEN, {}, "pass", None),
    "too-old": (TlsDemand(minimum="1.3"), SHAKEN, {}, "mismatch", "tls"),
    "distrusted": (TlsDemand(trust=True), DISTRUSTED, {}, "mismatch", "tls"),
    "valid": (TlsDemand(days=8), SHAKEN, {}, "pass", None),
    "soon-not-valid": (TlsDemand(days=9), SHAKEN, {}, "mismatch", "tls"),
    "the-name-that-is-dialled": (TlsDemand(name=True), SHAKEN, {"address": "a.example"}, "pass", None),
    "another-name": (TlsDemand(name=True), SHAKEN, {}, "mismatch", "tls"),
    "a-name-of-its-own": (TlsDemand(name=True, server_name="a.example"), SHAKEN, {}, "pass", None),
    "the-name-of-the-host": (TlsDemand(name=True), SHAKEN, {"http": HttpDemand(host="a.example:8443")}, "pass", None),
    # where the handshake was not measured nothing is known of what is demanded of it
    "no-handshake": (TlsDemand(days=0), HTTP_200, {}, "inconclusive", None),
    "none-is-needed": (TlsDemand(days=0), HTTP_200, {"protocol": Protocol.HTTP_OR_HTTPS}, "pass", None),
    "worse-than-its-status": (TlsDemand(days=9), SHAKEN_503, {}, "mismatch", "tls"),
    "a-stand-in": (TlsDemand(days=9), KEYED, {"phase": PRE, "view": STAND_IN}, "pass", None),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_what_is_demanded_of_a_handshake(situation: Any, name: str) -> None:
    demand, what, more, verdict, cause = HANDSHAKES[name]
    given_ = {"phase": LIVE, "view": LISTENER, "protocol": Protocol.HTTPS, "certificates": (SHOWN,), "now": NOW}
    found = situation(**{**given_, "seen": what, "tls": demand, **more})
    assert come_to(judge(found)) == (verdict, cause)


def named(row: tuple[Any, ...]) -> str:
    phase, view, what, more, verdict, cause = row
    sight = "nothing" if what is None else f"{what.state}+{what.failure or what.proof}+{what.operation}"
    sight += f"+{what.icmp.sender}+{what.icmp.code}" if what is not None and what.icmp is not None else ""
    known = "+".join(f"{name}={value}" for name, value in more.items())[:90]
    return f"{phase}-{view.use}-{sight}-{known}={verdict}-{cause}"


def come_to(found: Judgement) -> tuple[str, str | None]:
    return str(found.verdict), found.cause and str(found.cause)


@pytest.mark.parametrize("row", REACH, ids=named)
def test_what_must_be_reached(situation: Any, row: tuple[Any, ...]) -> None:
    phase, view, what, more, verdict, cause = row
    assert come_to(judge(situation(phase=phase, view=view, seen=what, **more))) == (verdict, cause)


@pytest.mark.parametrize("row", ITSELF, ids=named)
def test_a_host_and_itself(situation: Any, row: tuple[Any, ...]) -> None:
    phase, view, what, more, verdict, cause = row
    found = judge(situation(phase=phase, view=view, seen=what, target="a", **more))
    assert come_to(found) == (verdict, cause)


@pytest.mark.parametrize("row", BLOCK, ids=named)
def test_what_must_not_be_reached(situation: Any, row: tuple[Any, ...]) -> None:
    phase, view, what, more, verdict, cause = row
    found = judge(situation(phase=phase, view=view, seen=what, expect=Expect.BLOCK, **more))
    assert come_to(found) == (verdict, cause)


@pytest.mark.parametrize(
    ("what", "address", "hop"),
    [(icmp(ROUTER), ROUTER, None), (icmp(TARGET), TARGET, None), (icmp(SOURCE), SOURCE, 0), (EPERM, SOURCE, 0)],
    ids=["router", "target", "source", "eperm"],
)
def test_who_rejected_is_named(situation: Any, what: Observation, address: str, hop: int | None) -> None:
    where = judge(situation(view=STAND_IN, seen=what)).where
    assert where is not None
    assert (where.address, where.hop, where.side) == (address, hop, "at")


def test_silence_names_nobody(situation: Any) -> None:
    assert judge(situation(view=STAND_IN, seen=SILENT)).where is None


@pytest.mark.parametrize(
    ("status", "wanted", "healthy"),
    [
        *((status, (), True) for status in (200, 204, 301, 401, 404, 499)),
        *((status, (), False) for status in (400, 500, 503, 599)),
        (400, (400,), True),
        (200, (204,), False),
    ],
)
def test_which_statuses_are_healthy(status: int, wanted: tuple[int, ...], healthy: bool) -> None:
    assert http_healthy(status, wanted) is healthy


# --- rules for every combination ------------------------------------------------------------------------------------

addresses = st.sampled_from(["", SOURCE, TARGET, ROUTER])
sights = st.builds(
    Observation,
    state=st.sampled_from(State),
    operation=st.sampled_from(Operation),
    failure=st.none() | st.sampled_from(Failure),
    proof=st.sampled_from(Proof),
    icmp=st.none()
    | st.builds(Icmp, family=st.sampled_from([4, 6]), type=st.just(3), code=st.integers(0, 15), sender=addresses),
    local=addresses,
    status=st.none() | st.sampled_from([200, 400, 503]),
    tls=st.none() | st.builds(TlsFacts, version=st.sampled_from(["", "1.2"]), distrust=st.sampled_from(["", "x"])),
)
demands = st.none() | st.builds(
    TlsDemand,
    name=st.booleans(),
    trust=st.booleans(),
    minimum=st.sampled_from(["", "1.3"]),
    days=st.none() | st.just(1),
)
problems = st.none() | st.sampled_from([Cause.NO_AGENT, Cause.AGENT_LOST])


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "phase": draw(st.sampled_from(Phase)),
        "expect": draw(st.sampled_from(Expect)),
        "listen": draw(st.sampled_from(Listen)),
        "protocol": draw(st.sampled_from(Protocol)),
        "tls": draw(demands),
        "target": draw(st.sampled_from(["a", "b"])),
        "seen": draw(st.none() | sights),
        "view": TargetView(use=draw(st.sampled_from(PortUse))),
        "receipts": Receipts(
            answered=draw(st.booleans()), arrived=draw(st.booleans()), elsewhere=draw(st.sampled_from(["", "c"]))
        ),
        "source_problem": draw(problems),
        "target_problem": draw(problems),
        "agentless": draw(st.booleans()),
        "alive": draw(st.booleans()),
        "there": draw(st.booleans()),
        "astray": draw(st.sampled_from(["", ASTRAY["astray"]])),
    }


@given(given_=situations())
def test_the_rules_above_all_rules(situation: Any, given_: dict[str, Any]) -> None:
    case: Situation = situation(**given_)
    found = judge(case)
    what, use, check = case.seen, case.view.use, case.check
    if check.same_host:
        if found.verdict is Verdict.PASS:
            assert use in (PortUse.STAND_IN, PortUse.LISTENER) or check.listen is not Listen.ALL
        return
    told = use is PortUse.LISTENER or case.receipts.answered  # the target's word is enough for these two
    if what is None and not told:
        assert found.verdict is Verdict.INCONCLUSIVE
    if what is not None and what.state is State.ERROR and not case.receipts.answered:
        assert found.verdict in (Verdict.INCONCLUSIVE, Verdict.MISMATCH)
    if found.verdict is Verdict.PASS:
        assert what is not None
        if check.expect is Expect.REACH:
            assert what.proof is Proof.KEYED or (what.state is State.OPEN and what.failure is None)
            if check.tls is not None and what.tls is not None and what.proof is not Proof.KEYED:
                assert not what.tls.distrust
                assert not check.tls.name
                assert check.tls.days is None
        else:
            assert what.state is not State.OPEN
            assert not case.receipts.answered
    if use is PortUse.STAND_IN:
        assert found.verdict is not Verdict.DOWN
    if found.verdict is Verdict.EXPOSED:
        assert check.expect is Expect.BLOCK
    if check.expect is Expect.BLOCK:
        assert found.verdict not in (Verdict.DOWN, Verdict.BLOCKED)


def test_a_stand_in_for_a_local_service_exposes_nothing(situation: Any) -> None:
    """The service will be bound to loopback; the stand-in is not."""
    common = {"phase": PRE, "view": STAND_IN, "seen": KEYED, "expect": Expect.BLOCK}
    assert judge(situation(**common, local=True)).verdict is Verdict.PASS
    assert judge(situation(**common)).verdict is Verdict.EXPOSED


def test_a_stand_in_that_answers_for_a_host_without_an_agent_is_no_pass(situation: Any) -> None:
    found = situation(phase=AUTO, seen=ACCEPTED, agentless=True, receipts=Receipts(elsewhere="b2"))
    assert judge(found) == Judgement(verdict=Verdict.INCONCLUSIVE, cause=Cause.CONFLICTING_EVIDENCE)


def test_who_rejects_in_the_name_of_a_translated_address_is_not_proven(situation: Any) -> None:
    """The dialled address is then the translating device's, and the target's own firewall may be another matter."""
    common = {"phase": PRE, "seen": icmp(TARGET)}
    own = TargetView(use=PortUse.STAND_IN)
    translated = TargetView(use=PortUse.STAND_IN, translated=True)
    assert judge(situation(**common, view=own)).cause is Cause.TARGET_FIREWALL
    found = judge(situation(**common, view=translated))
    assert (found.verdict, found.cause) == (Verdict.BLOCKED, None)


@pytest.mark.parametrize("what", [MUTE, CUT, HTTP_503], ids=["mute", "cut", "503"])
def test_nor_is_what_it_does_to_a_stranger_a_fault_of_that_host(situation: Any, what: Observation) -> None:
    found = situation(phase=AUTO, seen=what, receipts=Receipts(elsewhere="b2"))
    assert judge(found) == Judgement(verdict=Verdict.INCONCLUSIVE, cause=Cause.CONFLICTING_EVIDENCE)


def test_what_the_target_did_not_see_come_in_is_no_pass_until_somebody_looked_again(situation: Any) -> None:
    case = situation(seen=ACCEPTED, view=LISTENER, phase=LIVE, doubtful=True)
    assert judge(case) == Judgement(verdict=Verdict.INCONCLUSIVE, cause=Cause.CONFLICTING_EVIDENCE)
    looked = situation(seen=ACCEPTED, view=LISTENER, phase=LIVE, doubtful=True, ends=Ends(left=True))
    assert judge(looked).verdict is Verdict.PASS
