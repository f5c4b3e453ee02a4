"""One check as a story, from values made by hand. Its goldens are tests/golden/explain-SITUATION.WIDTH.txt;
PORTCHECK_UPDATE=1 rewrites them: read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from referencing import Registry

from probe.model.account import Account
from probe.model.ends import Answer, Ends, Packets
from probe.model.path import Hop, Way
from probe.model.path import Path as Trace
from probe.model.result import AgentInfo, CheckResult, Evidence, HostResult, RunInfo, Where
from probe.model.sight import Sight
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, State, Transport, Verdict
from probe.report.drawing import draw
from probe.report.explanation import Asked, Explanation, Story, as_json, render, whose
from probe.resources import folder

from .samples import agreed

SCHEMA, ROWS = (json.loads((folder("reports") / f"{name}.schema.json").read_text()) for name in ("explain", "report"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, registry=Registry().with_contents([(ROWS["$id"], ROWS)]))
GOLDEN = Path(__file__).parent.parent / "golden"
UPDATE = bool(os.environ.get("PORTCHECK_UPDATE"))
STYLE = re.compile(r"\x1b\[[0-9;]+m")
A, B, PORT = "10.78.1.1", "10.78.6.2", 5432
A6, B6 = "2001:db8:7:1::1", "2001:db8:7:6::2"
START = 1_790_000_000.0


def row(**fields: Any) -> CheckResult:
    values: dict[str, Any] = {
        "id": "1f2e",
        "source": "engine-1",
        "target": "db-1",
        "source_role": "engine",
        "target_role": "db",
        "address": B,
        "transport": Transport.TCP,
        "ports": str(PORT),
        "protocol": Protocol.TCP,
        "service": "postgresql",
        "matrix": "aiware",
        "rule": "flows[3]",
        "also": (),
        "cite": "ports",
        "expect": Expect.REACH,
        "policy": Policy.ENFORCE,
        "need": Need.REQUIRED,
        "state": State.FILTERED,
        "verdict": Verdict.BLOCKED,
        "detail": "what it comes to in a sentence",
        "evidence": (Evidence(at="source", what="no answer to SYN in 3 attempts"),),
        "advice": "Ask them to allow tcp 5432 from engine-1 to db-1.",
    }
    return CheckResult(**{**values, **fields})


def sight(at: float, flags: str, *, out: bool, ttl: int = 64, size: int = 0, port: int = 41000, **more: Any) -> Sight:
    """A packet of the way; one with an ACK or RST of the target's unless it goes to it."""
    back = more.pop("back", False)
    source, target = more.pop("ends", (A, B))
    ends = (target, PORT, source, port) if back else (source, port, target, PORT)
    more.setdefault("seq", 7000 + port + back)
    return Sight(START + at, out, Transport.TCP, *ends, ttl, flags, size, interface="eth0", **more)


def story(one: Explanation, **hosts: Any) -> Story:
    agent = AgentInfo(version="0.1.0", capabilities=("raw",))
    values = {"agent": agent, **hosts}
    return Story(
        run=RunInfo(
            id="c0ffee",
            started="2026-11-21T06:39:45.761+00:00",
            finished="2026-11-21T06:39:55.761+00:00",
            phase=Phase.PRE_INSTALL,
            matrix=("aiware",),
            inventory="hosts.txt",
            seed=0,
            version="0.1.0",
        ),
        source=HostResult(name=one.row.source, addresses=(A,), agent=agent),
        target=HostResult(name=one.row.target, addresses=(B,), **values),
        explanations=(one,),
    )


ASKED = Asked(
    rule="flows[3]",
    matrix="aiware",
    help=("keep what the jobs found", "the database"),
    title="Ports required by aiWARE run modes",
    url="https://example.com/run-modes",
)
HOPS = (Hop(1, ("10.78.1.2",), 0.2), Hop(2, ("10.78.2.2", "10.78.3.2"), 0.3), Hop(3, ("10.78.4.2",), 0.4))
WAYS = (
    Way(("10.78.1.2", "10.78.2.2", "10.78.4.2"), reached=False, flows=4),
    Way(("10.78.1.2", "10.78.3.2", "10.78.4.2"), reached=False, flows=2),
)


def told(one: CheckResult, source: Any, target: Any, ends: Ends, path: Trace | None, **more: Any) -> Explanation:
    packets = [Packets(tuple(sights), sure=True) if sights is not None else None for sights in (source, target)]
    account = Account(
        id=one.id, address=one.address, port=PORT, source=packets[0], target=packets[1], ends=ends, path=path
    )
    return Explanation(row=one, asked=(ASKED,), account=account, **more)


def passing() -> Story:
    """Three attempts that fared alike, and clocks that differ."""
    here, there, ahead = [], [], 3.25
    for number in range(3):
        at, port = number / 1000, 41000 + number
        for when, flags, back, size in ((0, "S", 0, 0), (0.4, "SA", 1, 0), (0.7, "A", 0, 0), (0.9, "PA", 0, 56)):
            sent = at + when / 1000
            got = sent + 0.0002
            more: Any = {"port": port, "size": size, "back": bool(back)}
            here.append(sight(got if back else sent, flags, out=not back, ttl=61 if back else 64, **more))
            there.append(sight((sent if back else got) + ahead, flags, out=bool(back), ttl=64 if back else 61, **more))
    path = Trace((*HOPS, Hop(4, (B,))), reached=True, distance=4)
    ends = Ends(left=True, arrived=True, answered=Answer.ACCEPT, returned=Answer.ACCEPT)
    one = row(verdict=Verdict.PASS, state=State.OPEN, detail="", advice="", evidence=())
    return story(told(one, here, there, ends, path, one_of_several=True))


def network_drop() -> Story:
    """Silence behind several next hops, with retransmissions."""
    here = [sight(at, "S", out=True, port=41000 + port) for port in range(3) for at in (0.0001 * port, 1.0, 3.0)]
    path = Trace((*HOPS, Hop(4)), ways=WAYS)
    one = row(cause=Cause.NETWORK, where=Where(address="10.78.4.2", hop=3, side="after"))
    return story(told(one, here, [], Ends(left=True, arrived=False), path))


def network_reject() -> Story:
    """By a device on the way, over IPv6."""
    error: Any = {"icmp": (1, 1), "sender": "2001:db8:7:2::2", "ends": (A6, B6)}
    here = [sight(0, "S", out=True, ends=(A6, B6)), sight(0.0003, "", out=False, ttl=63, **error)]
    rejected = Hop(2, ("2001:db8:7:2::2",), icmp=(1, 1))
    path = Trace((Hop(1, ("2001:db8:7:1::2",)), rejected), rejected=rejected)
    one = row(
        address=B6, cause=Cause.NETWORK, state=State.REJECTED, where=Where(address=rejected.addresses[0], side="at")
    )
    return story(told(one, here, [], Ends(left=True, arrived=False, returned=Answer.ICMP), path))


def target_drop() -> Story:
    """One of two retransmissions was lost on the way, and the target swallowed the other."""
    here = [sight(at, "S", out=True) for at in (0, 1.0)]
    there = [sight(1.0002, "S", out=False, ttl=61)]
    one = row(cause=Cause.TARGET_FIREWALL, where=Where(address=B, side="at"))
    path = Trace((Hop(1, ("10.78.1.2",)), Hop(2), Hop(3, ("10.78.4.2",)), Hop(4)))
    return story(told(one, here, there, Ends(left=True, arrived=True, answered=Answer.NOTHING), path))


def return_path() -> Story:
    here = [sight(0, "S", out=True)]
    there = [sight(0.0002, "S", out=False, ttl=61), sight(0.0003, "SA", out=True, back=True)]
    ends = Ends(left=True, arrived=True, answered=Answer.ACCEPT, returned=Answer.NOTHING)
    return story(told(row(cause=Cause.RETURN_PATH), here, there, ends, Trace((*HOPS[:1], Hop(2)))))


def source_reject() -> Story:
    here = [sight(0, "", out=False, icmp=(3, 13), sender=A)]
    one = row(cause=Cause.SOURCE_FIREWALL, state=State.REJECTED, where=Where(address=A, hop=0, side="at"))
    return story(told(one, here, [], Ends(left=False, arrived=False), Trace(rejected=Hop(0, (A,), icmp=(3, 13)))))


def forged_reset() -> Story:
    """In the target's name, by a device between."""
    here = [sight(0, "S", out=True), sight(0.0002, "RA", out=False, ttl=62, back=True)]
    path = Trace((*HOPS[:1], Hop(2, (B,))), reached=True, distance=2)
    one = row(cause=Cause.NETWORK, state=State.CLOSED, where=Where(address="10.78.1.2", hop=1, side="after"))
    return story(told(one, here, [], Ends(left=True, arrived=False, returned=Answer.RESET), path))


def one_eye() -> Story:
    """The target cannot look; whether it arrives is unknown."""
    blind = AgentInfo(version="0.1.0")
    return story(told(row(), [sight(0, "S", out=True)], None, Ends(left=True), Trace((*HOPS[:1], Hop(2)))), agent=blind)


def no_agent() -> Story:
    one = row(
        verdict=Verdict.INCONCLUSIVE,
        cause=Cause.NO_AGENT,
        state=None,
        evidence=(),
        rule="policy.outside",
        expect=Expect.BLOCK,
        need=Need.RECOMMENDED,
    )
    asked = Asked(rule="policy.outside", matrix="aiware", help=("the database",))
    return story(Explanation(row=one, asked=(asked,)), agent=None, problem="no connection within 30 s")


SITUATIONS = {
    "passing": passing,
    "network-drop": network_drop,
    "network-reject": network_reject,
    "target-drop": target_drop,
    "return-path": return_path,
    "source-reject": source_reject,
    "forged-reset": forged_reset,
    "one-eye": one_eye,
    "no-agent": no_agent,
}


@pytest.fixture(params=SITUATIONS)
def situation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("width", [80, 200])
def test_every_situation_looks_as_agreed(situation: str, width: int) -> None:
    text = render(SITUATIONS[situation](), width=width, color=False)
    file = GOLDEN / f"explain-{situation}.{width}.txt"
    if UPDATE:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(situation: str, width: int) -> None:
    assert max(map(len, render(SITUATIONS[situation](), width=width, color=False).splitlines())) <= width


def test_colour_changes_nothing_but_the_colour(situation: str) -> None:
    made = SITUATIONS[situation]()
    plain, coloured = (render(made, width=80, color=color) for color in (False, True))
    assert STYLE.sub("", coloured) == plain
    assert coloured != plain
    assert "\x1b" not in plain


EVIL = "\x1b[2J\x1b]0;x\x07\u202e\u2066\x9b31m\r\nPASS"


def test_hostile_strings_and_floods_are_shown_and_bounded() -> None:
    """Whatever an agent, a matrix or an inventory says."""
    hop = Hop(3, (EVIL, *(EVIL + str(number) for number in range(500))), icmp=(3, 13))
    path = Trace((hop,) * 5000, ways=(Way((EVIL,) * 5000),) * 5000, loops=True)
    error: Any = {"icmp": (3, 13), "sender": EVIL * 1000}
    floods = [sight(n / 1e4, "S", out=True, port=n % 65536, seq=n * (n % 7), ttl=n % 9) for n in range(20_000)]
    floods += [sight(n / 1e4, "", out=False, ttl=n, **error) for n in range(100)]
    floods += [sight(float("inf"), EVIL, out=True), sight(float("nan"), EVIL, out=True), sight(-1e308, "S", out=True)]
    words = dict.fromkeys(
        ("source", "target", "address", "service", "matrix", "rule", "detail", "advice", "cite", "source_role"),
        EVIL * 99,
    )
    one = row(
        **words,
        cause=Cause.NETWORK,
        where=Where(address=EVIL * 99, hop=3, side="after"),
        evidence=(Evidence(at=EVIL, what=EVIL * 99),) * 5000,
    )
    made = told(one, floods, floods, Ends(left=True, arrived=False), path)
    asked = Asked(rule=EVIL, matrix=EVIL, help=(EVIL * 99,) * 3, title=EVIL * 99, url=EVIL * 99)
    made = msgspec.structs.replace(made, asked=(asked,) * 3)
    began = time.process_time()
    lines = render(story(made, problem=EVIL * 99), width=80, color=False).splitlines()
    assert time.process_time() - began < 20  # of CPU: an accident of the quadratic kind takes minutes
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80
    assert len(lines) < 1000
    assert any("more attempts" in line for line in lines)


def test_as_json_it_is_the_rows_with_their_packets_and_path(situation: str) -> None:
    made = SITUATIONS[situation]()
    document = json.loads(as_json(made))
    assert (document["schema"], document["run"]["id"]) == ("portcheck.explain/1", "c0ffee")
    (check,) = document["checks"]
    one, account = made.explanations[0].row, made.explanations[0].account
    assert (
        msgspec.convert({key: check[key] for key in CheckResult.__struct_fields__ if key in check}, CheckResult) == one
    )
    ends = (account.source, account.target) if account else (None, None)
    for end, seen in zip(("source", "target"), ends, strict=True):
        packets = check["packets"][end]
        assert packets is None if seen is None else msgspec.convert(packets, tuple[Sight, ...]) == seen.sights
    assert msgspec.convert(check["path"], Trace | None) == (account.path if account else None)  # type: ignore[call-overload]


def test_as_json_it_keeps_to_the_schema(situation: str) -> None:
    VALIDATOR.validate(json.loads(as_json(SITUATIONS[situation]())))


def test_the_sample_is_as_agreed() -> None:
    assert agreed("explain.json", as_json(network_drop()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "portcheck.explain/2"),
        ("run.started", "yesterday"),
        ("checks", []),
        ("checks.0.verdict", "maybe"),
        ("checks.0.asked.0.help", None),
        ("checks.0.packets.source.0.at", "now"),
        ("checks.0.packets.source.0.flags", "SYN"),
        ("checks.0.packets.source.1.icmp", [3]),
        ("checks.0.packets.source.1.sender", None),
        ("checks.0.packets.target", {}),
        ("checks.0.path.hops.0.ttl", None),
        ("checks.0.path.rejected.icmp", [3, 13, 0]),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: str, value: object) -> None:
    document = json.loads(as_json(network_reject()))
    place = document
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    assert not VALIDATOR.is_valid(document)


def test_the_schema_names_every_field() -> None:
    """A field that is new is described before it is written."""
    for definition, value in (("packet", Sight), ("path", Trace), ("hop", Hop), ("way", Way), ("asked", Asked)):
        assert list(SCHEMA["$defs"][definition]["properties"]) == list(value.__struct_fields__)


def test_a_file_name_that_is_no_utf8_does_not_stop_it() -> None:
    made = no_agent()
    made = msgspec.structs.replace(made, run=msgspec.structs.replace(made.run, inventory="h\udcffosts"))
    assert json.loads(as_json(made))["run"]["inventory"] == r"h\udcffosts"


@pytest.mark.parametrize("color", [False, True])
def test_several_checks_are_told_one_after_the_other(color: bool) -> None:
    made = passing()
    made = msgspec.structs.replace(made, explanations=made.explanations * 100)
    text = STYLE.sub("", render(made, width=80, color=color))
    assert text.count("✓ engine-1 → db-1") == 64
    assert text.endswith("… and 36 more checks: --json FILE has each\n")


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"cause": Cause.SOURCE_FIREWALL}, "the owner of the source, engine-1"),
        ({"cause": Cause.NETWORK, "where": Where(address="10.78.4.2")}, "the network team, for the device 10.78.4.2"),
        ({"cause": Cause.NETWORK, "where": Where(address=A, hop=0, side="after")}, "the network team"),
        ({"where": Where(address=A, hop=0, side="at")}, "the owner of the source, engine-1"),
        ({}, "the network team"),
        ({"verdict": Verdict.MISMATCH}, f"the owner of the target, db-1 ({B})"),
        ({"verdict": Verdict.MISMATCH, "cause": Cause.INTERCEPTED}, "the network team"),
        ({"verdict": Verdict.DOWN, "cause": Cause.OVERLOAD}, f"the owner of the target, db-1 ({B})"),
        ({"verdict": Verdict.EXPOSED, "cause": Cause.STAND_IN}, "the network team"),
        ({"verdict": Verdict.EXPOSED, "cause": Cause.LISTENING}, f"the owner of the target, db-1 ({B})"),
        ({"verdict": Verdict.INCONCLUSIVE, "cause": Cause.AGENT_LOST}, "whoever runs portcheck"),
    ],
)
def test_for_whom_the_advice_is(fields: dict[str, Any], who: str) -> None:
    assert whose(row(**fields)) == who


def test_many_devices_of_one_place_and_a_long_path_still_fit() -> None:
    hops = tuple(Hop(ttl, tuple(f"10.{ttl}.0.{n}" for n in range(1, ttl % 4 + 2))) for ttl in range(1, 30))
    account = Account(id="x", address=B, port=PORT, ends=Ends(arrived=False), path=Trace(hops))
    lines = draw(row(), account, 60)
    assert max(map(len, lines)) <= 60
    text = "\n".join(lines)
    assert all(address in text for hop in hops for address in hop.addresses)
    assert "✗ ─ db-1" in text
    assert draw(row(), msgspec.structs.replace(account, path=Trace(hops[2:5])), 60) == [
        "engine-1 ┬ 10.3.0.1 ┬ 10.4.0.1 ┬ 10.5.0.1 ┬ ✗ ─ db-1",
        "         ├ 10.3.0.2 ┤          └ 10.5.0.2 ┘",
        "         ├ 10.3.0.3 ┤",
        "         └ 10.3.0.4 ┘",
    ]
