"""Reports made by hand or by chance, small enough to be held against a plain model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from probe.history.compare import failing
from probe.model.ports import PortSet
from probe.model.result import CheckResult, Evidence, Report, RunInfo, summarise
from probe.model.waiver import Waived
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, State, Transport, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

PORTS = range(1, 9)
_ACCEPTED = Waived(reason="planned", owner="jane", until="2030-01-01")
# What may come of a port, by a letter.
OUTCOMES: dict[str, dict[str, Any]] = {
    "p": {"verdict": Verdict.PASS, "state": State.OPEN},
    "n": {"verdict": Verdict.BLOCKED, "cause": Cause.NETWORK, "state": State.FILTERED},
    "t": {"verdict": Verdict.BLOCKED, "cause": Cause.TARGET_FIREWALL, "state": State.REJECTED},
    "d": {"verdict": Verdict.DOWN, "cause": Cause.NOT_LISTENING, "state": State.CLOSED},
    "w": {"verdict": Verdict.BLOCKED, "cause": Cause.NETWORK, "state": State.FILTERED, "waived": _ACCEPTED},
    "i": {"verdict": Verdict.INCONCLUSIVE, "cause": Cause.AGENT_LOST, "state": None},
}
FAILS = frozenset("ntdw")
# Checks by id, with their addresses: a name leads to two of them.
PLACES = (("a", "10.0.0.1"), ("b", "10.0.0.2"), ("b", "10.0.0.3"))


def row(id_: str, outcome: str, ports: str = "22", address: str = "10.0.0.1", **given: Any) -> CheckResult:
    values: dict[str, Any] = {
        "id": id_,
        "source": "w1",
        "target": "d1",
        "source_role": "web",
        "target_role": "db",
        "address": address,
        "transport": Transport.TCP,
        "ports": ports,
        "protocol": Protocol.TCP,
        "service": "sql",
        "matrix": "shop",
        "rule": "flows[0]",
        "also": (),
        "cite": "",
        "expect": Expect.REACH,
        "policy": Policy.ENFORCE,
        "need": Need.REQUIRED,
    }
    return CheckResult(**(values | OUTCOMES[outcome] | given))


def report(rows: Iterable[CheckResult], number: int = 1, **given: Any) -> Report:
    """Run `number`, a day after the one before."""
    checks = tuple(rows)
    day = f"2026-{1 + (number - 1) // 28:02}-{1 + (number - 1) % 28:02}"
    run = RunInfo(
        id=f"run-{number}",
        started=f"{day}T02:00:00Z",
        finished=f"{day}T02:01:30Z",
        phase=Phase.LIVE,
        matrix=("shop",),
        inventory="hosts.txt",
        seed=7,
        version="0.1.0",
        interrupted=given.pop("interrupted", False),
    )
    return Report(run=run, summary=summarise(checks), checks=checks, **given)


def rows_of(cells: dict[tuple[str, str], str], said: str = "") -> list[CheckResult]:
    """For each place a word with the outcome of each port in its letters; a dot is a port that was not asked. What
    fails `said` something.
    """
    made = []
    for (id_, address), letters in cells.items():
        ports: dict[str, list[int]] = {}
        for port, letter in zip(PORTS, letters, strict=True):
            ports.setdefault(letter, []).append(port)
        for letter, some in ports.items():
            if letter != ".":
                evidence = (Evidence(at="source", what=said),) if letter in FAILS and said else ()
                made.append(row(id_, letter, str(PortSet.of(some)), address, evidence=evidence, elapsed_ms=1.5))
    return made


cells = st.fixed_dictionaries(
    {place: st.text("pppnntdwi.", min_size=len(PORTS), max_size=len(PORTS)) for place in PLACES}
)


@st.composite
def split(draw: st.DrawFn, found: Report) -> Report:
    """The same, its rows cut anyhow."""
    pieces: list[CheckResult] = []
    for one in found.checks:
        ports = list(PortSet.parse(one.ports))
        parts = [draw(st.integers(0, 2)) for _ in ports]
        for part in sorted(set(parts)):
            some = PortSet.of(port for port, at in zip(ports, parts, strict=True) if at == part)
            pieces.append(msgspec.structs.replace(one, ports=str(some)))
    return msgspec.structs.replace(found, checks=tuple(draw(st.permutations(pieces))))


def letters(found: Report) -> dict[tuple[str, int], str]:
    """The worst outcome of each port of each check, by its letter: plainly, without any set of ports."""
    best_first = "piwdtn"
    told: dict[tuple[str, int], str] = {}
    for one in found.checks:
        letter = next(
            key
            for key, given in OUTCOMES.items()
            if (given["verdict"], given.get("cause"), bool(given.get("waived")))
            == (one.verdict, one.cause, bool(one.waived))
        )
        for port in PortSet.parse(one.ports):
            place = (one.id, port)
            told[place] = max(told.get(place, "p"), letter, key=lambda one: (_badness(one), best_first.index(one)))
    return told


def _badness(letter: str) -> int:
    """Passes, inconclusive, fails and is excused, fails."""
    return {"p": 0, "i": 1, "w": 2}.get(letter, 3)


def failed(found: Report) -> set[tuple[str, int]]:
    return {(one.id, port) for one in found.checks if failing(one) for port in PortSet.parse(one.ports)}
