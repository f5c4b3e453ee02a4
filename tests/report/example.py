"""Reports made by hand: one that has a bit of everything, and a small one for each way in which a run can end."""

from __future__ import annotations

import hashlib
from typing import Any

from probe.model.check import Unchecked
from probe.model.result import AgentInfo, CheckResult, Evidence, HostResult, Report, RunInfo, Where, summarise
from probe.model.words import Cause, Expect, Need, Phase, Policy, Protocol, Severity, State, Verdict, Zone

HOSTILE_BANNER = 'SSH-2.0-\x1b[31m<script>alert("1")</script>\u202egnp.exe\x00\x07' + "A" * 3000

HOSTS = {
    "lb-1": ("10.20.0.5", "lb"),
    "ctrl-1": ("10.20.0.10", "controller"),
    "svc-1": ("10.20.0.21", "services"),
    "svc-2": ("10.20.0.22", "services"),
    "db-1": ("10.20.0.30", "db"),
    "redis-1": ("10.20.0.40", "redis"),
    "engine-1": ("10.20.1.1", "engine"),
    "engine-2": ("10.20.1.2", "engine"),
    "engine-3": ("10.20.1.3", "engine"),
    "auto-1": ("fd00:20::50", "automate"),
    "laptop": ("192.0.2.77", "outside"),
    "registry.example.com": ("registry.example.com", "external"),
    "mirror.example.com": ("mirror.example.com", "external"),
}
SERVICES = {
    "agent-metrics": ("8000", Protocol.HTTP),
    "lb-https": ("8443", Protocol.HTTPS),
    "controller-api": ("9000", Protocol.HTTP),
    "controller-metrics": ("8001", Protocol.HTTP),
    "postgresql": ("5432", Protocol.TCP),
    "postgresql-metrics": ("9187", Protocol.HTTP),
    "redis": ("6379", Protocol.TCP),
    "automate-studio": ("5000-6000", Protocol.HTTP),
    "syslog": ("514", Protocol.UDP),
    "registry": ("443", Protocol.HTTPS),
}
APPLICATIONS = {"postgresql": "postgresql", "redis": "redis", "syslog": "syslog"}


def check(source: str, target: str, service: str, rule: str, **given: Any) -> CheckResult:
    """A row of the example; a pass unless told otherwise."""
    ports, protocol = SERVICES[service]
    source_role, target_role = HOSTS[source][1], HOSTS[target][1]
    planned = f"{rule} {source} {target} {service}"
    values: dict[str, Any] = {
        "id": hashlib.sha256(planned.encode()).hexdigest()[:16],
        "source": source,
        "target": target,
        "source_role": source_role,
        "target_role": target_role,
        "address": HOSTS[target][0],
        "transport": protocol.transport,
        "ports": ports,
        "protocol": protocol,
        "service": service,
        "matrix": "aiware",
        "rule": rule,
        "also": (),
        "cite": "connections" if rule.startswith("flows") else "",
        "expect": Expect.REACH,
        "policy": Policy.ENFORCE,
        "need": Need.REQUIRED,
        "state": State.OPEN,
        "verdict": Verdict.PASS,
        "elapsed_ms": 1.8,
        "rtt_ms": 0.31,
    }
    if given.get("expect", Expect.REACH) is Expect.REACH:
        values["application"] = APPLICATIONS.get(service, "")
    return CheckResult(**(values | given))


def no_way(source: str, target: str, service: str, zone: str = "inside") -> CheckResult:
    """A row that must be blocked, and is."""
    policy = Policy.ENFORCE if zone == "outside" else Policy.ADVISE
    return check(
        source,
        target,
        service,
        f"policy.{zone}",
        expect=Expect.BLOCK,
        policy=policy,
        state=State.FILTERED,
        evidence=(Evidence(at="target", what="the stand-in was open and nothing reached it"),),
        rtt_ms=None,
        elapsed_ms=912.4,
    )


def exposed(source: str, target: str, service: str, zone: str = "inside", **given: Any) -> CheckResult:
    values = {
        "expect": Expect.BLOCK,
        "policy": Policy.ENFORCE if zone == "outside" else Policy.ADVISE,
        "verdict": Verdict.EXPOSED,
        "cause": Cause.STAND_IN,
        "detail": "the stand-in answered with the right key",
        "evidence": (
            Evidence(at="source", what="connected, and the keyed answer is right"),
            Evidence(at="target", what=f"the stand-in saw the connection from {HOSTS[source][0]}"),
        ),
        "advice": f"Close the way from {source} to {HOSTS[target][0]}, or add a flow to the matrix if it is meant.",
    }
    return check(source, target, service, f"policy.{zone}", **(values | given))


def _passes() -> list[CheckResult]:
    inside = [host for host, (_, role) in HOSTS.items() if role not in ("outside", "external")]
    rows = [check(host, "lb-1", "lb-https", "flows[0]") for host in inside if host != "lb-1"]
    rows += [check(f"engine-{number}", "ctrl-1", "controller-api", "flows[1]") for number in (1, 2)]
    rows += [check("lb-1", "ctrl-1", "controller-api", "flows[2]"), check("svc-1", "db-1", "postgresql", "flows[5]")]
    rows += [
        check("svc-2", "db-1", "postgresql", "flows[5]", also=("flows[9]",)),
        check("db-1", "db-1", "postgresql", "flows[6]"),
    ]
    rows += [
        no_way("laptop", host, service, "outside") for host, service in (("db-1", "postgresql"), ("redis-1", "redis"))
    ]
    rows += [no_way(host, "db-1", "postgresql") for host in ("engine-1", "engine-2", "lb-1")]
    rows.append(check("ctrl-1", "lb-1", "syslog", "flows[12]", need=Need.OPTIONAL))
    rows.append(check("ctrl-1", "mirror.example.com", "registry", "registries"))
    return rows


def _blocked() -> list[CheckResult]:
    dropped = {
        "state": State.FILTERED,
        "verdict": Verdict.BLOCKED,
        "cause": Cause.NETWORK,
        "where": Where(address="10.20.0.254", hop=1, side="after"),
        "rtt_ms": None,
        "elapsed_ms": 912.4,
        "detail": "no answer, and nothing arrived",
    }
    rows = [
        check(
            source,
            "redis-1",
            "redis",
            "flows[4]",
            **dropped,
            severity=Severity.CRITICAL,
            evidence=(
                Evidence(at="source", what=f"no answer to {sent} SYN in 0.9 s, from fresh ports"),
                Evidence(
                    at="target",
                    what=f"the stand-in was open on 10.20.0.40:6379 and nothing reached it from {HOSTS[source][0]}",
                ),
            ),
            advice=f"Ask who runs what is behind 10.20.0.254 to let {HOSTS[source][0]} reach 10.20.0.40 on tcp 6379.",
        )
        for source, sent in (("svc-1", 3), ("svc-2", 4), ("ctrl-1", 3))
    ]
    rows.append(
        check(
            "ctrl-1",
            "db-1",
            "postgresql-metrics",
            "flows[7]",
            state=State.REJECTED,
            verdict=Verdict.BLOCKED,
            cause=Cause.TARGET_FIREWALL,
            where=Where(address="10.20.0.30", hop=2, side="at"),
            severity=Severity.LOW,
            detail="rejected as administratively prohibited",
            rtt_ms=None,
            evidence=(
                Evidence(at="source", what="ICMP 3/13 (administratively prohibited) sent by 10.20.0.30"),
                Evidence(at="target", what="the stand-in was open on 10.20.0.30:9187 and nothing reached it"),
            ),
            advice="Open tcp 9187 from 10.20.0.10 in the firewall of db-1 itself.",
        )
    )
    hole = {key: value for key, value in dropped.items() if key != "detail"}
    rows += [
        check("ctrl-1", "auto-1", "automate-studio", "flows[8]", ports="5000-5499,5510-6000"),
        check(
            "ctrl-1",
            "auto-1",
            "automate-studio",
            "flows[8]",
            ports="5500-5509",
            **hole | {"where": Where(address="fd00:20::fe", hop=2, side="after")},
            detail="10 of 1,001 ports do not answer",
            evidence=(
                Evidence(at="source", what="no answer to 4 SYN in 1.2 s; 991 other ports of the range answered"),
                Evidence(at="target", what="the stand-ins were open and nothing reached them"),
            ),
            advice="The rule for this range has a hole: open tcp 5500-5509 from ctrl-1 to fd00:20::50 as well.",
        ),
    ]
    return rows


def _elsewhere() -> list[CheckResult]:
    """Down, mismatch, exposed and inconclusive."""
    rows = [
        check(
            host,
            "ctrl-1",
            "controller-metrics",
            "flows[10]",
            need=Need.RECOMMENDED,
            state=State.CLOSED,
            verdict=Verdict.DOWN,
            cause=Cause.NOT_LISTENING,
            detail="refused by the target itself",
            evidence=(
                Evidence(at="source", what="RST from the target, TTL 63 as in its known-good answers"),
                Evidence(at="target", what="nothing is bound to tcp 8001"),
            ),
            advice="Start the service that listens on tcp 8001 of ctrl-1.",
        )
        for host in ("svc-1", "svc-2")
    ]
    rows.append(
        check(
            "engine-1",
            "engine-2",
            "agent-metrics",
            "flows[11]",
            verdict=Verdict.MISMATCH,
            cause=Cause.PORT_TAKEN,
            detail=f"answered {HOSTILE_BANNER}",
            evidence=(
                Evidence(at="source", what=f"connected; it said {HOSTILE_BANNER}"),
                Evidence(at="target", what="tcp 8000 is held by sshd (pid 812), bound to 0.0.0.0"),
            ),
            advice="Stop sshd on tcp 8000 of engine-2, or move it to another port, before you install.",
        )
    )
    rows += [exposed("laptop", "ctrl-1", "controller-api", "outside", severity=Severity.HIGH)]
    rows += [exposed(source, "redis-1", "redis") for source in ("engine-1", "engine-2", "lb-1", "auto-1")]
    rows += [
        exposed(source, "db-1", "postgresql-metrics", cause=Cause.LISTENING, detail="a service answers")
        for source in ("engine-1", "engine-2")
    ]
    rows.append(
        check(
            "svc-1",
            "lb-1",
            "syslog",
            "flows[13]",
            need=Need.DEPRECATED,
            state=State.CLOSED,
            verdict=Verdict.DOWN,
            cause=Cause.NOT_LISTENING,
            detail="the target itself says that the port is closed",
            evidence=(Evidence(at="source", what="ICMP 3/3 (port unreachable) sent by 10.20.0.5"),),
            advice="Start the service that listens on udp 514 of lb-1.",
        )
    )
    rows.append(
        check(
            "ctrl-1",
            "registry.example.com",
            "registry",
            "registries",
            severity=Severity.MEDIUM,
            state=State.FILTERED,
            verdict=Verdict.BLOCKED,
            detail="no answer",
            rtt_ms=None,
            evidence=(Evidence(at="source", what="no answer to 4 SYN in 1.2 s, from fresh ports"),),
            advice="Ask those who run the firewalls between the two to allow tcp 443 from ctrl-1.",
            instead="one of these ways is enough, and this one is free: registry on mirror.example.com (tcp 443)",
        )
    )
    lost = {
        "state": None,
        "verdict": Verdict.INCONCLUSIVE,
        "cause": Cause.AGENT_LOST,
        "rtt_ms": None,
        "elapsed_ms": None,
        "detail": "the agent of engine-3 went away",
        "evidence": (Evidence(at="coordinator", what="the channel to engine-3 closed 1.4 s into the run"),),
        "advice": "Bring the agent of engine-3 back and run again.",
    }
    rows += [
        check("engine-3", "ctrl-1", "controller-api", "flows[1]", **lost),
        check("engine-3", "engine-1", "agent-metrics", "flows[11]", **lost),
        check("ctrl-1", "engine-3", "agent-metrics", "flows[11]", **lost),
        check("laptop", "engine-3", "agent-metrics", "policy.outside", **lost | {"expect": Expect.BLOCK}),
        check(
            "lb-1",
            "engine-3",
            "agent-metrics",
            "policy.inside",
            **lost | {"expect": Expect.BLOCK, "policy": Policy.ADVISE},
        ),
    ]
    return rows


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
        _passes() + _blocked() + _elsewhere(),
        gaps=not_checkable(),
        notes=(
            "Group 'promethus' is no role of any matrix; did you mean 'prometheus'?",
            "Host engine-3 left during the run: 5 checks that need it are inconclusive.",
        ),
    )


def examples() -> dict[str, Report]:
    """One report for each way to end, by the name that its golden files carry."""
    advised = [row for row in _passes() + _elsewhere() if row.verdict is Verdict.PASS or row.policy is Policy.ADVISE]
    unsure = _passes() + [row for row in _elsewhere() if row.verdict is Verdict.INCONCLUSIVE]
    lost = [row for row in _elsewhere() if row.verdict is Verdict.INCONCLUSIVE and row.policy is Policy.ADVISE]
    return {
        "conforms": report(_passes(), phase=Phase.LIVE),
        "advised": report([row for row in advised if row.verdict is not Verdict.INCONCLUSIVE], gaps=not_checkable()),
        "deviations": rich(),
        "interrupted": report(_passes()[:4] + _blocked()[:1], interrupted=True),
        "nothing": report([]),
        "unchecked": report([], gaps=not_checkable()),
        "inconclusive": report(unsure),
        "unmeasured": report(lost),
    }


def large(rows: int = 20_000) -> Report:
    """Many rows over many pairs, one in a hundred blocked."""
    pattern = _passes()[0]
    bad = _blocked()[0]
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
