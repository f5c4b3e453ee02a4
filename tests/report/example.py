"""Reports made by hand: one that has a bit of everything, and a small one for each way in which a run can end."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from probe.model.check import Unchecked
from probe.model.result import AgentInfo, CheckResult, HostResult, Report, RunInfo, summarise
from probe.model.waiver import Waiver
from probe.model.waiving import apply
from probe.model.words import Cause, Need, Phase, Policy, Verdict, Zone

from . import exposures
from .rows import HOSTS, blocked, check, elsewhere, exposed, passes

__all__ = ["check", "examples", "exposed", "large", "report", "rich", "waived"]


def hosts() -> tuple[HostResult, ...]:
    agent = AgentInfo(version="0.1.0", capabilities=("raw", "ipv6"), channel="ssh")
    return tuple(
        HostResult(
            name=name,
            addresses=(address, "fd00:20::30") if name == "db-1" else (address,),
            roles=(role,),
            zone=Zone.OUTSIDE if role in ("outside", "external") else Zone.INSIDE,
            agent=None if name == "engine-3" or role == "external" else agent,
            problem="the agent was lost 1.4 s into the run: ssh: connection reset by peer"
            if name == "engine-3"
            else "",
            external=role == "external",
        )
        for name, (address, role) in HOSTS.items()
    )


def not_checkable() -> tuple[Unchecked, ...]:
    """One row of a kind, and two that have their reason in common."""
    return (
        Unchecked(
            rule="flows[14]",
            matrix="aiware",
            service="keepalived",
            sources=("lb",),
            targets=("lb",),
            protocol="vrrp",
            ports="",
            reason="IP protocol 112 has no ports",
            help="the balancers find out which of them holds the floating address",
            cite="balancers",
        ),
        *(
            Unchecked(
                rule="flows[15]",
                matrix="aiware",
                service=service,
                sources=("engine", "services"),
                targets=("db",),
                protocol="sunrpc",
                ports=ports,
                reason="the port is chosen by the system at each start",
                need=Need.OPTIONAL,
            )
            for service, ports in (("mountd", "{mountd_port}"), ("statd", "{statd_port}"))
        ),
        Unchecked(
            rule="registries",
            matrix="aiware",
            service="registry",
            sources=("engine",),
            targets=("*.example.com:443",),
            protocol="https",
            ports="443",
            reason="*.example.com stands for many names: name one to check it",
        ),
    )


def report(
    checks: list[CheckResult],
    *,
    notes: tuple[str, ...] = (),
    phase: Phase = Phase.PRE_INSTALL,
    gaps: tuple[Unchecked, ...] = (),
    **run: Any,
) -> Report:
    """A report of these rows, in the order in which a run writes them."""
    info = RunInfo(
        id="7f3c9a1e5b20",
        started="2025-03-14T09:26:53Z",
        finished="2025-03-14T09:27:01Z",
        phase=phase,
        matrix=("aiware",),
        inventory="hosts.txt",
        seed=7,
        version="0.1.0",
        **run,
    )
    rows = tuple(checks)
    return Report(
        run=info, summary=summarise(rows, len(gaps)), hosts=hosts(), checks=rows, not_checkable=gaps, notes=notes
    )


def rich() -> Report:
    """A bit of everything; ends in 1."""
    return report(
        passes() + blocked() + elsewhere(),
        gaps=not_checkable(),
        notes=(
            "Group 'promethus' is no role of any matrix; did you mean 'prometheus'?",
            "Host engine-3 left during the run: 5 checks that need it are inconclusive.",
        ),
    )


WAIVERS = (
    Waiver(
        place="waivers.yaml:3",
        rule=("flows[4]",),
        targets=("redis-1",),
        causes=(Cause.NETWORK,),
        reason="ticket 4711: the firewall is changed with the next release",
        owner="jane@example.com",
        until="2025-06-30",
    ),
    Waiver(
        place="waivers.yaml:9",
        targets=("auto-1",),
        ports="5500-5504",
        reason="another team's tool has these until it moves",
        owner="the storage team",
    ),
    Waiver(
        place="waivers.yaml:14",
        sources=("outside",),
        targets=("controller",),
        reason="the console is opened for the audit",
        owner="ops",
        until="2025-03-13",
    ),
    Waiver(place="waivers.yaml:20", service=("syslgo",), reason="never said", owner="ops", until="2025-12-31"),
    Waiver(place="waivers.yaml:24", targets=("lb-1",), service=("lb-https",), reason="slow", owner="ops", until=""),
)


def waived() -> Report:
    """What a file of waivers makes of it: some rows accepted, one only in part, one no longer."""
    return apply(rich(), WAIVERS, dt.date(2025, 3, 14))


def examples() -> dict[str, Report]:
    """One report for each way to end, by the name that its golden files carry."""
    advised = [row for row in passes() + elsewhere() if row.verdict is Verdict.PASS or row.policy is Policy.ADVISE]
    unsure = passes() + [row for row in elsewhere() if row.verdict is Verdict.INCONCLUSIVE]
    lost = [row for row in elsewhere() if row.verdict is Verdict.INCONCLUSIVE and row.policy is Policy.ADVISE]
    return {
        "conforms": report(passes(), phase=Phase.LIVE),
        "advised": report([row for row in advised if row.verdict is not Verdict.INCONCLUSIVE], gaps=not_checkable()),
        "deviations": rich(),
        "waived": waived(),
        "interrupted": report(passes()[:4] + blocked()[:1], interrupted=True),
        "nothing": report([]),
        "unchecked": report([], gaps=not_checkable()),
        "inconclusive": report(unsure),
        "unmeasured": report(lost),
        "exposed": msgspec.structs.replace(report(exposures.rows(), phase=Phase.LIVE), exposure=exposures.search()),
    }


def large(rows: int = 20_000) -> Report:
    """Many rows over many pairs, one in a hundred blocked."""
    pattern = passes()[0]
    bad = blocked()[0]
    made = [
        CheckResult(
            **{field: getattr(bad if number % 100 == 7 else pattern, field) for field in CheckResult.__struct_fields__}
            | {
                "id": f"{number:016x}",
                "source": f"host-{number % 139}",
                "target": f"host-{number * 7 % 97}",
                "address": f"10.0.{number % 97}.1",
            }
        )
        for number in range(rows)
    ]
    return report(made)
