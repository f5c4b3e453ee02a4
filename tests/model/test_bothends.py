"""What both ends' interfaces saw: which cause it proves, where, and how it is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import bothends
from probe.model.ends import Answer, Ends, Stuck
from probe.model.judge import Situation, judge
from probe.model.observation import Failure, Icmp, Observation, Operation, PortUse, Proof, Receipts, TargetView
from probe.model.path import Hop, Path, Way
from probe.model.words import Cause, Expect, Phase, Protocol, State, Transport, Verdict

SOURCE, TARGET, ROUTER = "10.0.0.1", "10.0.0.2", "10.0.9.254"
PRE, LIVE = Phase.PRE_INSTALL, Phase.LIVE
STAND_IN, LISTENER, FREE, ELSEWHERE, UNKNOWN = (
    TargetView(use=use)
    for use in (PortUse.STAND_IN, PortUse.LISTENER, PortUse.FREE, PortUse.ELSEWHERE, PortUse.UNKNOWN)
)


def seen(state: State, failure: Failure, **more: Any) -> Observation:
    return Observation(state=state, failure=failure, local=SOURCE, **more)


def icmp(sender: str, code: int = 13) -> Observation:
    return seen(State.REJECTED, Failure.ICMP, icmp=Icmp(family=4, type=3, code=code, sender=sender))


ANONYMOUS = msgspec.structs.replace(icmp(""), local="")
SILENT = seen(State.FILTERED, Failure.TIMEOUT)
UNANSWERED = seen(State.OPEN_FILTERED, Failure.TIMEOUT)
REFUSED = seen(State.CLOSED, Failure.REFUSED)
NEXT_IS_DEAD = seen(State.UNREACHABLE, Failure.HOST_UNREACHABLE)
NOT_PERMITTED = seen(State.REJECTED, Failure.NOT_PERMITTED)

ACCEPT, RESET, ERROR, NOTHING = Answer.ACCEPT, Answer.RESET, Answer.ICMP, Answer.NOTHING
KEPT = Ends(left=False, arrived=False)
LOST = Ends(left=True, arrived=False, returned=NOTHING)
DROPPED = Ends(left=True, arrived=True, answered=NOTHING, returned=NOTHING)
ANSWER_LOST = Ends(left=True, arrived=True, answered=ACCEPT, returned=NOTHING)
ANSWER_DROPPED = Ends(left=True, arrived=True, answered=ACCEPT, returned=ACCEPT)
RESET_BY_TARGET = Ends(left=True, arrived=True, answered=RESET, returned=RESET)
REJECTED = Ends(left=True, arrived=True, answered=ERROR, returned=ERROR)
FULL = msgspec.structs.replace(DROPPED, overflow=True)
REFUSAL_LOST = Ends(left=True, arrived=True, answered=RESET, returned=NOTHING)
BLIND_SOURCE_RESET = Ends(arrived=True, answered=RESET)
BLIND_TARGET_KEPT = Ends(left=False)
BLIND_TARGET_NO_ROUTE = Ends(left=False, stuck=Stuck.ROUTE)
BLIND_TARGET_GONE = Ends(left=False, stuck=Stuck.NEIGHBOUR)
BLIND_SOURCE_LOST = Ends(arrived=False)
BLIND_SOURCE_DROPPED = Ends(arrived=True, answered=NOTHING)
BLIND_SOURCE_ANSWERED = Ends(arrived=True, answered=ACCEPT)
BLIND_TARGET_SILENT = Ends(left=True, returned=NOTHING)
BLIND_TARGET_ANSWERED = Ends(left=True, returned=ACCEPT)
KEPT_NEAR = msgspec.structs.replace(KEPT, near=True)
NO_NEIGHBOUR = msgspec.structs.replace(KEPT, stuck=Stuck.NEIGHBOUR)
NO_ROUTE = msgspec.structs.replace(KEPT, stuck=Stuck.ROUTE)
NO_WAY_BACK = msgspec.structs.replace(DROPPED, stuck_back=Stuck.NEIGHBOUR)
THROUGH = {"path": Path(hops=(Hop(1, (ROUTER,)), Hop(2)))}
NOWHERE = {"path": Path(hops=(Hop(1),))}
UDP = {"protocol": Protocol.UDP}
MET = {"receipts": Receipts(answered=True)}
AT_SOURCE, AT_TARGET, AFTER_ROUTER = (SOURCE, "at"), (TARGET, "at"), (ROUTER, "after")


def case(situation: Any, path: Path | None = None, **given: Any) -> Situation:
    """`path` is the way to the target, not a check's path of HTTP."""
    return msgspec.structs.replace(situation(address=TARGET, **given), path=path)


# phase, what the target says, what the source saw, what the ends saw, what else → verdict, cause, where
CAUSES = [
    (PRE, STAND_IN, SILENT, KEPT, {}, "blocked", "source-firewall", AT_SOURCE),
    (PRE, STAND_IN, REFUSED, KEPT, {}, "blocked", "source-firewall", AT_SOURCE),
    (PRE, STAND_IN, SILENT, LOST, {}, "blocked", "network", None),
    (PRE, STAND_IN, SILENT, LOST, THROUGH, "blocked", "network", AFTER_ROUTER),
    (PRE, STAND_IN, REFUSED, LOST, THROUGH, "blocked", "network", AFTER_ROUTER),
    (PRE, STAND_IN, SILENT, DROPPED, {}, "blocked", "target-firewall", AT_TARGET),
    (PRE, STAND_IN, REFUSED, RESET_BY_TARGET, {}, "blocked", "target-firewall", AT_TARGET),
    (PRE, STAND_IN, icmp(TARGET), REJECTED, {}, "blocked", "target-firewall", AT_TARGET),
    (PRE, STAND_IN, SILENT, ANSWER_LOST, {}, "blocked", "return-path", None),
    (PRE, STAND_IN, SILENT, ANSWER_DROPPED, {}, "blocked", "source-firewall", AT_SOURCE),
    (PRE, STAND_IN, SILENT, FULL, {}, "inconclusive", "resources", None),
    # who refused was not the target
    (PRE, STAND_IN, REFUSED, DROPPED, {}, "blocked", "network", None),
    (PRE, STAND_IN, REFUSED, ANSWER_DROPPED, {}, "blocked", "network", None),
    (LIVE, FREE, REFUSED, LOST, THROUGH, "blocked", "network", AFTER_ROUTER),
    (LIVE, ELSEWHERE, REFUSED, LOST, THROUGH, "blocked", "network", AFTER_ROUTER),
    (LIVE, FREE, REFUSED, RESET_BY_TARGET, {}, "down", "not-listening", None),
    (LIVE, ELSEWHERE, REFUSED, RESET_BY_TARGET, {}, "down", "bound-elsewhere", None),
    (LIVE, FREE, SILENT, DROPPED, {}, "blocked", "target-firewall", AT_TARGET),
    # nothing listens, and the target's own refusal does not come back
    (LIVE, FREE, SILENT, REFUSAL_LOST, {}, "blocked", "return-path", None),
    (LIVE, ELSEWHERE, SILENT, REFUSAL_LOST, {}, "blocked", "return-path", None),
    (LIVE, FREE, SILENT, RESET_BY_TARGET, {}, "blocked", "source-firewall", AT_SOURCE),
    (LIVE, FREE, SILENT, BLIND_SOURCE_RESET, {}, "blocked", None, None),
    (LIVE, LISTENER, SILENT, REFUSAL_LOST, {}, "blocked", "target-firewall", AT_TARGET),
    # nobody speaks for the target, and yet the source knows what it did not send
    (LIVE, UNKNOWN, SILENT, BLIND_TARGET_KEPT, {}, "blocked", "source-firewall", AT_SOURCE),
    (LIVE, UNKNOWN, SILENT, BLIND_TARGET_NO_ROUTE, {}, "blocked", "no-route", AT_SOURCE),
    (LIVE, UNKNOWN, SILENT, BLIND_TARGET_SILENT, {}, "inconclusive", "no-agent", None),
    (LIVE, UNKNOWN, SILENT, BLIND_TARGET_GONE, {}, "inconclusive", "no-agent", None),
    (LIVE, UNKNOWN, NEXT_IS_DEAD, BLIND_TARGET_GONE, {}, "inconclusive", "no-agent", None),
    (LIVE, LISTENER, REFUSED, RESET_BY_TARGET, {}, "blocked", "target-firewall", AT_TARGET),
    (LIVE, LISTENER, SILENT, FULL, {}, "down", "overload", AT_TARGET),
    # who rejected by ICMP has a name, and the kernel knows why it did not send
    (PRE, STAND_IN, icmp(ROUTER), LOST, {}, "blocked", "network", (ROUTER, "at")),
    (PRE, STAND_IN, icmp(ROUTER), DROPPED, {}, "blocked", "network", (ROUTER, "at")),
    (PRE, STAND_IN, icmp(TARGET), LOST, {}, "blocked", "network", None),
    (PRE, STAND_IN, NOT_PERMITTED, KEPT, {}, "blocked", "source-firewall", AT_SOURCE),
    (PRE, STAND_IN, NEXT_IS_DEAD, KEPT, {}, "blocked", None, None),
    (PRE, STAND_IN, icmp(SOURCE, code=1), KEPT, {}, "blocked", None, AT_SOURCE),  # or the next machine is dead
    (PRE, STAND_IN, icmp(SOURCE, code=1), KEPT_NEAR, {}, "blocked", "source-firewall", AT_SOURCE),
    (PRE, STAND_IN, NEXT_IS_DEAD, KEPT_NEAR, {}, "blocked", None, None),
    (PRE, STAND_IN, SILENT, NO_NEIGHBOUR, {}, "blocked", "network", (SOURCE, "after")),
    (PRE, STAND_IN, NEXT_IS_DEAD, NO_NEIGHBOUR, {}, "blocked", "network", (SOURCE, "after")),
    (PRE, STAND_IN, icmp(SOURCE, code=1), NO_NEIGHBOUR, {}, "blocked", "network", (SOURCE, "after")),
    (PRE, STAND_IN, NEXT_IS_DEAD, NO_ROUTE, {}, "blocked", "no-route", AT_SOURCE),
    (PRE, STAND_IN, SILENT, NO_WAY_BACK, {}, "blocked", "return-path", AT_TARGET),
    (PRE, STAND_IN, REFUSED, NO_WAY_BACK, {}, "blocked", "network", None),
    (PRE, STAND_IN, ANONYMOUS, None, {}, "blocked", None, (None, "at")),
    # a service that need not answer a stranger's datagram
    (LIVE, LISTENER, UNANSWERED, LOST, UDP | THROUGH, "blocked", "network", AFTER_ROUTER),
    (LIVE, LISTENER, UNANSWERED, KEPT, UDP, "blocked", "source-firewall", AT_SOURCE),
    (LIVE, LISTENER, UNANSWERED, DROPPED, UDP, "inconclusive", None, None),
    (LIVE, LISTENER, UNANSWERED, ANSWER_LOST, UDP, "blocked", "return-path", None),
    (LIVE, LISTENER, UNANSWERED, ANSWER_DROPPED, UDP, "blocked", "source-firewall", AT_SOURCE),
    (LIVE, FREE, UNANSWERED, DROPPED, UDP, "inconclusive", None, None),
    # one end cannot look
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_LOST, {}, "blocked", None, None),
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_LOST, NOWHERE, "blocked", None, None),  # its own rules, perhaps
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_LOST, THROUGH, "blocked", "network", AFTER_ROUTER),
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_DROPPED, {}, "blocked", "target-firewall", AT_TARGET),
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_ANSWERED, {}, "blocked", None, None),
    (PRE, STAND_IN, SILENT, BLIND_SOURCE_ANSWERED, MET, "blocked", "return-path", None),
    (PRE, STAND_IN, SILENT, BLIND_TARGET_SILENT, {}, "blocked", None, None),
    (PRE, STAND_IN, SILENT, BLIND_TARGET_ANSWERED, MET, "blocked", "source-firewall", AT_SOURCE),
]


def named(row: tuple[Any, ...]) -> str:
    phase, view, what, ends, more, verdict, cause, _ = row
    sight = f"{what.state}{f'-by-{what.icmp.sender}' if what.icmp is not None else ''}"
    ends = ends or Ends()
    saw = "-".join(f"{value}" for value in (ends.left, ends.arrived, ends.answered, ends.returned))
    hops = f"-{len(more['path'].hops)}-hops" if "path" in more else ""
    stuck = "".join(f"-{value}" for value in (ends.stuck, ends.stuck_back, "near" * ends.near) if value)
    return f"{phase}-{view.use}-{sight}-{saw}{stuck}{hops}-{'+'.join(more)}={verdict}-{cause}"


@pytest.mark.parametrize("row", CAUSES, ids=named)
def test_the_cause(situation: Any, row: tuple[Any, ...]) -> None:
    phase, view, what, ends, more, verdict, cause, place = row
    found = judge(case(situation, phase=phase, view=view, seen=what, ends=ends, **more))
    where = (found.where.address, found.where.side) if found.where is not None else None
    assert (found.verdict, found.cause, where) == (verdict, cause, place)


def place_of(
    situation: Any, path: Path, what: Observation = SILENT
) -> tuple[str | None, int | None, str | None] | None:
    found = judge(case(situation, path, view=STAND_IN, seen=what, ends=LOST))
    assert found.cause is Cause.NETWORK
    return (found.where.address, found.where.hop, found.where.side) if found.where is not None else None


def test_of_several_next_hops_the_bad_one_is_named(situation: Any) -> None:
    first, good, bad, last = "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"
    hops = (Hop(1, (first,)), Hop(2, (good, bad)), Hop(3, (last,)), Hop(4, (TARGET,)))
    ways = (Way((first, good, last), reached=True), Way((first, bad), reached=False))
    assert place_of(situation, Path(hops=hops, reached=True, distance=4, ways=ways)) == (bad, 2, "after")


def test_a_trace_that_came_through_places_nothing(situation: Any) -> None:
    path = Path(hops=(Hop(1, (ROUTER,)), Hop(2, (TARGET,))), reached=True, distance=2)
    assert place_of(situation, path) is None
    assert place_of(situation, path, REFUSED) == (ROUTER, 1, "after")  # the answer was the refusal itself
    assert bothends.way(path).endswith("came from 2 devices away")
    assert bothends.way(Path(hops=(Hop(1, (TARGET,)),), reached=True, distance=1)).endswith("came from 1 device away")


def test_a_device_that_rejects_only_the_trace_is_named(situation: Any) -> None:
    rejected = Hop(2, (ROUTER,), icmp=(3, 13))
    assert place_of(situation, Path(hops=(Hop(1, ("10.1.0.1",)), rejected), rejected=rejected)) == (ROUTER, 2, "at")


# --- rules for every combination ---

addresses = st.sampled_from(["", SOURCE, TARGET, ROUTER])
maybe = st.none() | st.booleans()
ways = st.builds(
    Ends,
    left=maybe,
    arrived=maybe,
    answered=st.none() | st.sampled_from(Answer),
    returned=st.none() | st.sampled_from(Answer),
    seen_from=addresses,
    overflow=st.booleans(),
    stuck=st.none() | st.sampled_from(Stuck),
    stuck_back=st.none() | st.sampled_from(Stuck),
    near=st.booleans(),
).map(
    lambda ends: ends if ends.arrived else msgspec.structs.replace(ends, answered=None, stuck_back=None, seen_from="")
)
paths = st.none() | st.builds(
    Path,
    hops=st.lists(st.builds(Hop, st.integers(1, 4), st.tuples(addresses)), max_size=3).map(tuple),
    reached=st.booleans(),
    distance=st.none() | st.integers(1, 4),
)


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    sender = draw(st.none() | addresses)
    return {
        "phase": draw(st.sampled_from(Phase)),
        "expect": draw(st.sampled_from(Expect)),
        "protocol": draw(st.sampled_from([Protocol.TCP, Protocol.UDP])),
        "seen": draw(
            st.builds(
                Observation,
                state=st.sampled_from(State),
                operation=st.sampled_from(Operation),
                failure=st.none() | st.sampled_from(Failure),
                proof=st.sampled_from(Proof),
                icmp=st.just(None if sender is None else Icmp(family=4, type=3, code=13, sender=sender)),
                local=addresses,
            )
        ),
        "view": TargetView(use=draw(st.sampled_from(PortUse))),
        "receipts": draw(st.builds(Receipts, answered=st.booleans(), arrived=st.booleans())),
        "target_problem": draw(st.none() | st.sampled_from([Cause.NO_AGENT, Cause.AGENT_LOST])),
        "alive": draw(st.booleans()),
    }


@given(given_=situations(), ends=ways, path=paths)
def test_what_the_ends_saw_never_makes_a_pass(situation: Any, given_: dict[str, Any], ends: Ends, path: Any) -> None:
    found, before = judge(case(situation, path, **given_, ends=ends)), judge(case(situation, **given_))
    if found.verdict is Verdict.PASS and before.verdict is not Verdict.PASS:
        # What must not get through is known not to have come.
        assert (given_["expect"], ends.arrived) == (Expect.BLOCK, False)
        return
    if found.cause is Cause.INTERCEPTED and before != found:
        # Somebody answered, and it was not the target: nothing came to it.
        assert given_["seen"].state is State.OPEN
        assert ends.arrived is False
    elif before.verdict in (Verdict.PASS, Verdict.MISMATCH) and before != found:
        assert found.verdict is Verdict.BLOCKED or found.cause is Cause.CONFLICTING_EVIDENCE
        assert (ends.arrived and ends.answered is not Answer.ACCEPT) or ends.data_lost
    elif before.verdict is Verdict.EXPOSED and before != found:
        # Who listens was not asked: somebody answered in its place.
        assert (found.cause, ends.arrived) == (Cause.CONFLICTING_EVIDENCE, False)
    elif before.verdict is not found.verdict:
        # They tell a firewall from a service that is not there or not asked, and an overload from a firewall.
        assert before.verdict in (Verdict.BLOCKED, Verdict.DOWN, Verdict.INCONCLUSIVE)
        assert found.verdict in (Verdict.BLOCKED, Verdict.DOWN, Verdict.INCONCLUSIVE)
    if found.verdict is Verdict.DOWN and before.verdict is not Verdict.DOWN:
        assert (found.cause, ends.overflow) == (Cause.OVERLOAD, True)


@given(given_=situations())
def test_ends_that_know_nothing_change_nothing(situation: Any, given_: dict[str, Any]) -> None:
    assert judge(case(situation, **given_, ends=Ends())) == judge(case(situation, **given_))


@given(given_=situations(), ends=ways)
def test_nobody_is_accused_of_what_did_not_come_to_them(situation: Any, given_: dict[str, Any], ends: Ends) -> None:
    found = judge(case(situation, **given_, ends=ends))
    if found == judge(case(situation, **given_)):
        return  # not for what the ends saw
    lost = given_["view"].use in (PortUse.FREE, PortUse.ELSEWHERE) and given_["seen"].state is State.FILTERED
    refused = (ends.answered if lost else None) is RESET  # by the target's kernel, and the source did not hear of it
    if found.cause is Cause.TARGET_FIREWALL:
        assert ends.arrived
        assert ends.answered in (NOTHING, RESET, ERROR)
    if found.cause is Cause.NETWORK:
        assert ends.arrived is False or ends.answered in (NOTHING, ACCEPT) or ends.stuck is not None
    if found.cause is Cause.SOURCE_FIREWALL:
        what = given_["seen"]
        itself = what.icmp is not None and what.icmp.sender in (SOURCE, what.local)  # it said so in so many words
        assert itself or ends.left is False or ends.returned is ACCEPT or (refused and ends.returned is RESET)
    if found.cause is Cause.RETURN_PATH:
        lost_back = (ends.answered is ACCEPT or refused) and ends.returned is NOTHING
        assert lost_back or ends.stuck_back is not None


# --- sentences ---


def told(ends: Ends | None, path: Path | None = None, transport: Transport = Transport.TCP) -> list[tuple[str, str]]:
    return [(each.at, each.what) for each in bothends.sentences(ends, path, transport)]


def test_nothing_known_is_nothing_told() -> None:
    assert told(None) == told(Ends()) == []


def test_the_order_of_events() -> None:
    assert told(msgspec.structs.replace(ANSWER_LOST, seen_from=ROUTER)) == [
        ("source", "the SYN of a fresh attempt left the interface"),
        ("target", f"the SYN arrived at the interface from {ROUTER}, and an answer left it"),
        ("source", "no answer arrived at the interface"),
    ]


@pytest.mark.parametrize(
    ("ends", "last"),
    [
        (KEPT, ("target", "the SYN did not arrive at the interface")),
        (DROPPED, ("target", "the SYN arrived at the interface, and no answer left it")),
        (
            msgspec.structs.replace(RESET_BY_TARGET, ttl_sent=64),
            ("target", "the SYN arrived at the interface, and a RST left it (TTL 64)"),
        ),
        (
            msgspec.structs.replace(REJECTED, icmp=(3, 10)),
            ("target", "the SYN arrived at the interface, and ICMP host-prohibited left it"),
        ),
        (msgspec.structs.replace(REFUSAL_LOST, ttl_sent=64), ("source", "no answer arrived at the interface")),
        (ANSWER_DROPPED, ("source", "the answer arrived at the interface, and went no further")),
        (
            Ends(left=True, arrived=False, returned=RESET, ttl_got=63),
            ("source", "a RST arrived at the interface (TTL 63), from a device between"),
        ),
    ],
)
def test_the_last_that_was_seen(ends: Ends, last: tuple[str, str]) -> None:
    assert told(ends)[-1] == last


def test_an_answer_that_made_a_connection_went_further() -> None:
    connected = bothends.sentences(ANSWER_DROPPED, None, Transport.TCP, connected=True)
    assert [each.what for each in connected] == [what for _, what in told(ANSWER_DROPPED)[:-1]]


def test_datagrams_are_called_so() -> None:
    assert told(LOST, transport=Transport.UDP)[0][1] == "the datagram of a fresh attempt left the interface"


def test_the_path() -> None:
    path = Path(hops=(Hop(1, (ROUTER,)), Hop(2, ("10.1.0.1", "")), Hop(3), Hop(4, ("10.2.0.1",), icmp=(3, 13))))
    said = bothends.way(path)
    assert (
        f"{ROUTER}, 10.1.0.1 or a device that is not named, silence, 10.2.0.1 (rejects: ICMP admin-prohibited)" in said
    )
    assert "circle" in bothends.way(msgspec.structs.replace(path, loops=True))


def test_a_long_path_is_cut() -> None:
    said = bothends.way(Path(hops=tuple(Hop(ttl, (f"10.1.0.{ttl}",)) for ttl in range(1, 31))))
    assert "10.1.0.12" in said
    assert "10.1.0.13" not in said
    assert said.endswith("18 more")
