"""Rows of reports made by hand: something of everything that a run can find."""

from __future__ import annotations

import hashlib
from typing import Any

from probe.model.result import CheckResult, Evidence, Where
from probe.model.words import Cause, Expect, Need, Policy, Protocol, Severity, State, Verdict

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
    "sentinel": ("26379", Protocol.TCP),
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


def passes() -> list[CheckResult]:
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


def blocked() -> list[CheckResult]:
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
            service,
            rule,
            **dropped | {"where": Where(address="10.20.0.254", hop=hop, side="after")},
            severity=severity,
            evidence=(
                Evidence(at="source", what=f"no answer to {sent} SYN in 0.9 s, from fresh ports"),
                Evidence(
                    at="target",
                    what=f"the stand-in was open on 10.20.0.40:{SERVICES[service][0]} and nothing reached it "
                    f"from {HOSTS[source][0]}",
                ),
            ),
            advice=f"Ask who runs what is behind 10.20.0.254 to let {HOSTS[source][0]} reach 10.20.0.40 on tcp "
            f"{SERVICES[service][0]}.",
        )
        for service, rule, severity, hop, sources in (
            ("redis", "flows[4]", Severity.CRITICAL, 1, {"svc-1": 3, "svc-2": 4, "ctrl-1": 3}),
            ("sentinel", "flows[16]", Severity.LOW, 2, {"engine-1": 3, "engine-2": 3}),
        )
        for source, sent in sources.items()
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


def elsewhere() -> list[CheckResult]:
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
