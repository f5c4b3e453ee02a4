"""The sentences: there is one for everything that can happen, none shows its seams, none obeys a stranger's text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import story
from probe.model.certificate import Certificate
from probe.model.ends import Answer, Ends, Stuck
from probe.model.judge import Judgement, judge
from probe.model.observation import Failure, Icmp, Observation, Operation, PortUse, Proof, Receipts, TargetView
from probe.model.path import ByFlow, Hop, Path
from probe.model.result import Where
from probe.model.tls import TlsDemand, TlsFacts
from probe.model.words import Cause, Expect, Phase, Protocol, State, Verdict

# DESIGN: the closed list of causes, by verdict; None where it is not proven.
CAUSES: dict[Verdict, tuple[str | None, ...]] = {
    Verdict.BLOCKED: (
        *("source-firewall", "no-route", "network", "target-firewall", "return-path", "payload", "mtu"),
        None,
    ),
    Verdict.DOWN: ("not-listening", "bound-elsewhere", "overload"),
    Verdict.MISMATCH: (
        *("port-taken", "wrong-service", "tls", "http-status", "unhealthy", "intercepted", "dns"),
        None,
    ),
    Verdict.EXPOSED: ("listening", "stand-in", None),
    Verdict.INCONCLUSIVE: ("no-agent", "agent-lost", "resources", "conflicting-evidence", "timeout", None),
}
OUTCOMES = [(verdict, cause and Cause(cause)) for verdict, causes in CAUSES.items() for cause in causes]
HOSTILE = "x\x1b]0;gone\x07\r\n\u202e{0}{nothing}"
SILENT = Observation(state=State.FILTERED, failure=Failure.TIMEOUT)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
TLS = TlsFacts(version="1.3", cipher="AES", chain=(b"x", b"y"))
LEAF = Certificate(subject="CN=a", issuer="CN=inter", names=("a", "*.b"), not_after=NOON, fingerprint="ab" * 32)
REFUSED_TLS = Observation(state=State.OPEN, operation=Operation.TLS, failure=Failure.BAD_ANSWER, text="no TLS")
ICMP = Icmp(family=4, type=3, code=13, sender="10.0.9.254")


def sentences(case: Any, found: Judgement) -> list[str]:
    said = [story.detail(case, found, ""), story.advice(case, found, str(case.check.ports))]
    return said + [item.what for item in story.evidence(case)]


def test_the_list_of_causes_is_complete() -> None:
    assert {cause for _, cause in OUTCOMES if cause} == set(Cause)


@pytest.mark.parametrize(("verdict", "cause"), OUTCOMES, ids=str)
def test_every_failure_is_told_and_has_advice(situation: Any, verdict: Verdict, cause: Cause | None) -> None:
    seen = Observation(state=State.REJECTED, failure=Failure.ICMP, icmp=ICMP, status=503)
    expect = Expect.BLOCK if verdict is Verdict.EXPOSED else Expect.REACH
    view = TargetView(use=PortUse.LISTENER, by="redis (pid 7)", bound=("127.0.0.1",))
    case = situation(seen=seen, expect=expect, view=view)
    found = Judgement(verdict=verdict, cause=cause, where=Where(address="10.0.9.254", side="at"))
    detail, advice, *_ = sentences(case, found)
    assert len(detail.split()) >= 5
    assert advice.endswith((".", "?"))
    assert advice[0].isupper()
    assert "{" not in detail + advice
    assert "None" not in detail + advice


@pytest.mark.parametrize("expect", Expect)
def test_a_pass_needs_no_advice(situation: Any, expect: Expect) -> None:
    assert story.advice(situation(expect=expect), Judgement(verdict=Verdict.PASS), "1") == ""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"seen": Observation(state=State.FILTERED, failure=Failure.TIMEOUT, attempts=3)},
            ["no answer to SYN in 3 attempts"],
        ),
        (
            {
                "seen": Observation(state=State.FILTERED, failure=Failure.TIMEOUT, attempts=1),
                "protocol": Protocol.UDP,
            },
            ["no answer to datagrams in 1 attempt"],
        ),
        ({"seen": Observation(state=State.CLOSED, failure=Failure.REFUSED)}, ["RST in 1 attempt"]),
        (
            {"seen": Observation(state=State.REJECTED, failure=Failure.ICMP, icmp=ICMP)},
            ["ICMP admin-prohibited from 10.0.9.254"],
        ),
        (
            {"seen": Observation(state=State.OPEN, proof=Proof.KEYED, local="10.0.0.1", seen_from="192.0.2.1")},
            ["right answer", "192.0.2.1, not 10.0.0.1"],
        ),
        (
            {"seen": Observation(state=State.OPEN, proof=Proof.ANSWERED, status=503, text="nginx")},
            ["HTTP 503 from 'nginx'"],
        ),
        (
            {"seen": Observation(state=State.OPEN, proof=Proof.KEYED), "large": False},
            ["an exchange of large data with the stand-in did not end, where a small one did", "right answer"],
        ),
        (
            {
                "seen": Observation(
                    state=State.OPEN, proof=Proof.ANSWERED, status=302, location="https://b/x", tls=TLS
                ),
                "protocol": Protocol.HTTP_OR_HTTPS,
                "certificates": (LEAF, Certificate(subject="CN=inter", issuer="CN=root", fingerprint="cd" * 32)),
            },
            [
                "HTTPS: HTTP 302 to https://b/x",
                "TLS 1.3, AES",
                "the certificate: CN=a, issued by CN=inter, made out to a, *.b, valid until 2026-06-15 12:00 UTC, SHA",
                f"SHA-256 {'ab' * 32}",
                f"sent with it: CN=inter, issued by CN=root, SHA-256 {'cd' * 32}",
            ],
        ),
        (
            {
                "seen": Observation(state=State.OPEN, proof=Proof.ANSWERED, status=200, location="http://b/login"),
                "protocol": Protocol.HTTP_OR_HTTPS,
            },
            ["without TLS: HTTP 200 after a redirect to http://b/login"],
        ),
        (
            {
                "seen": Observation(
                    state=State.OPEN, failure=Failure.UNHEALTHY, status=200, text="the body begins 'red'"
                )
            },
            ["HTTP 200, and not in it what the matrix demands: the body begins 'red'"],
        ),
        (
            {"seen": Observation(state=State.OPEN, operation=Operation.TLS, tls=TLS), "protocol": Protocol.TLS},
            ["shook hands in TLS", "TLS 1.3"],
        ),
        (
            {"seen": SILENT, "view": TargetView(use=PortUse.STAND_IN), "receipts": Receipts(answered=True)},
            ["received the challenge and answered it"],
        ),
        ({"seen": SILENT, "view": TargetView(use=PortUse.STAND_IN)}, ["was not reached"]),
        (
            {"view": TargetView(use=PortUse.LISTENER, by="sshd (pid 9)", bound=("0.0.0.0",))},
            ["sshd (pid 9) listens on 0.0.0.0"],
        ),
        (
            {"receipts": Receipts(elsewhere="c")},
            ["the stand-in of c received", "meant for b"],
        ),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)
def test_the_evidence_is_told(situation: Any, more: dict[str, Any], words: list[str]) -> None:
    told = " | ".join(item.what for item in story.evidence(situation(**more)))
    for word in words:
        assert word in told


def test_evidence_says_where_it_was_seen(situation: Any) -> None:
    case = situation(
        seen=Observation(state=State.FILTERED, failure=Failure.TIMEOUT),
        view=TargetView(use=PortUse.STAND_IN),
        receipts=Receipts(elsewhere="c"),
    )
    assert [item.at for item in story.evidence(case)] == ["source", "target", "coordinator"]


def test_the_advice_says_whose_ticket_it_is(situation: Any) -> None:
    case = situation(seen=Observation(state=State.REJECTED, failure=Failure.ICMP, icmp=ICMP, local="10.0.0.1"))
    found = judge(case.__class__(**{**_fields(case), "view": TargetView(use=PortUse.STAND_IN)}))
    advice = story.advice(case, found, "5432")
    assert advice == "Ask the owner of 10.0.9.254 to allow tcp 5432 from a (10.0.0.1) to b (10.0.0.2)."


@pytest.mark.parametrize(
    ("family", "kind", "code", "first"),
    [
        (4, 3, 1, "Look whether b is on and has the address 10.0.0.2: 10.0.9.254 finds nobody there."),
        (6, 1, 3, "Look whether b is on and has the address 10.0.0.2: 10.0.9.254 finds nobody there."),
        (4, 3, 0, "Ask the owner of 10.0.9.254 to allow "),
        (4, 3, 13, "Ask the owner of 10.0.9.254 to allow "),
    ],
)
def test_a_router_that_finds_nobody_is_not_the_first_to_ask(
    situation: Any, family: int, kind: int, code: int, first: str
) -> None:
    icmp = Icmp(family=family, type=kind, code=code, sender="10.0.9.254")
    state = State.REJECTED if code == 13 else State.UNREACHABLE
    case = situation(seen=Observation(state=state, failure=Failure.ICMP, icmp=icmp))
    found = Judgement(verdict=Verdict.BLOCKED, cause=Cause.NETWORK, where=Where(address="10.0.9.254", side="at"))
    assert story.advice(case, found, "5432").startswith(first)
    said = "rejects" if code == 13 else "does not deliver"
    assert any(f"a device on the way {said} it (10.0.9.254)" in one for one in sentences(case, found))


KEPT = Ends(left=False, arrived=False, stuck=Stuck.NEIGHBOUR)
DROPPED = Ends(left=True, arrived=True, answered=Answer.NOTHING, returned=Answer.NOTHING)
BACK = Ends(left=True, arrived=True, answered=Answer.ACCEPT, returned=Answer.ACCEPT)
BAD_HOP = Path(hops=(Hop(1, ("10.0.9.1",)),), by_flow=ByFlow(lost=6, through=10))


@pytest.mark.parametrize(
    ("more", "cause", "said"),
    [
        ({"ends": KEPT}, Cause.NETWORK, "Find out why the next machine from a towards 10.0.0.2 does not answer"),
        ({"path": BAD_HOP}, Cause.NETWORK, "Ask the owner of 10.0.9.254 to look at its next hops"),
        ({"ends": BACK}, Cause.SOURCE_FIREWALL, "Allow the answer in the incoming rules of a"),
        (
            {"ends": DROPPED},
            Cause.TARGET_FIREWALL,
            "Allow it in the incoming rules of b, and its answer in the outgoing",
        ),
        (
            {"ends": DROPPED, "receipts": Receipts(answered=True)},
            Cause.TARGET_FIREWALL,
            "Allow the answer in the outgoing rules of b:",
        ),
    ],
)
def test_the_advice_says_at_which_rules_to_look(situation: Any, more: dict[str, Any], cause: Cause, said: str) -> None:
    case = msgspec.structs.replace(situation(seen=SILENT, view=TargetView(use=PortUse.STAND_IN)), **more)
    found = Judgement(verdict=Verdict.BLOCKED, cause=cause, where=Where(address="10.0.9.254", side="at"))
    assert story.advice(case, found, "5432").startswith(said)


@pytest.mark.parametrize(
    ("stuck", "said"), [(None, "kernel says"), (Stuck.ROUTE, "kernel says"), (Stuck.NEIGHBOUR, "next machine")]
)
def test_unreachable_is_the_next_machines_only_where_that_is_known(situation: Any, stuck: Any, said: str) -> None:
    seen = Observation(state=State.UNREACHABLE, failure=Failure.HOST_UNREACHABLE)
    case = situation(seen=seen, ends=Ends(left=False, arrived=False, stuck=stuck))
    assert said in story.evidence(case)[0].what


@pytest.mark.parametrize(
    ("ends", "rules"),
    [
        (Ends(left=False), "Allow it in the outgoing rules of a"),
        (Ends(left=True, returned=Answer.ACCEPT), "Allow the answer in the incoming rules of a"),
        (Ends(left=True, arrived=True, answered=Answer.RESET, returned=Answer.RESET), "Allow the answer in"),
    ],
)
def test_a_source_that_drops_the_answer_is_told_so(situation: Any, ends: Ends, rules: str) -> None:
    case = situation(seen=SILENT, view=TargetView(use=PortUse.FREE), phase=Phase.LIVE, ends=ends)
    found = judge(case)
    assert found.cause is Cause.SOURCE_FIREWALL
    assert story.advice(case, found, "1").startswith(rules)
    kept = ends.left is False
    assert ("from leaving" in story.detail(case, found, "")) is kept
    assert ("comes back to a" in story.detail(case, found, "")) is not kept


def test_a_certificate_has_advice_of_its_own(situation: Any) -> None:
    case = situation(seen=Observation(state=State.OPEN, tls=TLS), tls=TlsDemand(minimum="1.3", days=3), now=NOON)
    found = Judgement(verdict=Verdict.MISMATCH, cause=Cause.TLS)
    assert "plain HTTP" in story.advice(situation(seen=REFUSED_TLS, protocol=Protocol.HTTPS), found, "1")
    assert "HTTP" not in story.advice(situation(seen=REFUSED_TLS), found, "1")
    assert story.advice(case, found, "1").startswith("Renew or replace the certificate of db on b")


def _fields(case: Any) -> dict[str, Any]:
    return {name: getattr(case, name) for name in case.__struct_fields__}


# Whatever an agent, a process or a server says of itself.
words = st.sampled_from(["", "plain", HOSTILE])
sights = st.builds(
    Observation,
    state=st.sampled_from(State),
    operation=st.sampled_from(Operation),
    failure=st.none() | st.sampled_from(Failure),
    proof=st.sampled_from(Proof),
    icmp=st.none()
    | st.builds(Icmp, family=st.sampled_from([4, 6]), type=st.just(3), code=st.integers(0, 20), sender=words),
    local=words,
    seen_from=words,
    answered_by=words,
    status=st.none() | st.just(503),
    text=words,
    location=words,
    tls=st.none() | st.builds(TlsFacts, version=words, cipher=words, distrust=words),
)
certificates = st.builds(
    Certificate,
    subject=words,
    issuer=words,
    names=st.tuples(words),
    not_before=st.none() | st.just(NOON),
    not_after=st.none() | st.just(NOON),
    problem=words,
)
views = st.builds(TargetView, use=st.sampled_from(PortUse), by=words, bound=st.tuples(words), detail=words)


@given(
    phase=st.sampled_from(Phase),
    expect=st.sampled_from(Expect),
    protocol=st.sampled_from(Protocol),
    target=st.sampled_from(["a", "b"]),
    seen=st.none() | sights,
    view=views,
    receipts=st.builds(Receipts, answered=st.booleans(), arrived=st.booleans(), elsewhere=st.sampled_from(["", "c"])),
    target_problem=st.none() | st.sampled_from([Cause.NO_AGENT, Cause.AGENT_LOST]),
    certificates=st.just(()) | st.tuples(certificates),
    tls=st.none() | st.builds(TlsDemand, name=st.booleans(), trust=st.booleans(), days=st.none() | st.just(3)),
)
def test_whatever_happens_the_sentences_are_whole_and_printable(situation: Any, **given_: Any) -> None:
    case = situation(**given_)
    found = judge(case)
    said = sentences(case, found)
    if found.verdict is not Verdict.PASS:
        assert said[0]
        assert said[1]
    for sentence in said:
        assert sentence.isprintable()
        assert "{" not in sentence.replace("{0}{nothing}", "")
