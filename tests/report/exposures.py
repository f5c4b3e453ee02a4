"""A report of what is open beyond the matrix, made by hand: the four kinds, and a sweep of each sort."""

from __future__ import annotations

from typing import Any

from probe.model.exposed import Exposed, Kind, Listener, Standing, Sweeping, Unnamed
from probe.model.result import CheckResult, Evidence
from probe.model.swept import Rejection
from probe.model.words import Cause, Exposure, Policy, State, Transport, Verdict, Zone

from .rows import check, exposed

REDIS = Listener(address="0.0.0.0", process="redis-server", pid=812, user="redis")
ADMIN = Listener(address="::", process="java", pid=77, user="app")
STRANGE = Listener(address="0.0.0.0", process="nc\x1b[31m<b>", pid=4242, user="uid 1234")
ENGINES = ("engine-1", "engine-2")


def undeclared(source: str, port: str, listener: Listener | None, **given: Any) -> CheckResult:
    zone = "outside" if source == "laptop" else "inside"
    values = {
        "id": f"{source}-{port}",
        "ports": port,
        "cause": Cause.LISTENING if listener is not None else None,
        "listener": listener,
        "undeclared": True,
        "detail": "it can be reached, and no service of the matrix has this port here",
        "evidence": (Evidence(at="source", what="the connection was accepted"),),
        "advice": "Close it in the firewall or bind the service elsewhere, or add a flow if it is meant.",
        **given,
    }
    return replaced(exposed(source, "db-1", "redis", zone, **values), service="undeclared", application="")


def replaced(row: CheckResult, **given: Any) -> CheckResult:
    return CheckResult(**{field: getattr(row, field) for field in CheckResult.__struct_fields__} | given)


def rows() -> list[CheckResult]:
    # Declared, and reachable from where no flow leads: to one a deviation, to the others advice.
    told = {"listener": REDIS, "cause": Cause.LISTENING, "allowed": ("controller", "services")}
    made = [exposed(source, "redis-1", "redis", **told) for source in ENGINES]
    made.append(exposed("laptop", "redis-1", "redis", "outside", **told))
    # Meant for loopback alone.
    local = exposed("svc-1", "ctrl-1", "controller-metrics", listener=ADMIN, cause=Cause.LISTENING)
    made.append(replaced(local, policy=Policy.ENFORCE, rule="services.controller-metrics"))
    # In no row of the matrix: a listener, and what translation opens.
    made += [undeclared(source, "4444", STRANGE) for source in (*ENGINES, "laptop")]
    made.append(undeclared("laptop", "31337", None))
    made.append(undeclared("engine-1", "9999", None))
    # What is left of a sweep.
    quiet = {"expect": made[0].expect, "policy": Policy.ENFORCE, "undeclared": True, "id": "laptop-rest"}
    made += [
        replaced(check("laptop", "db-1", "redis", "policy.outside"), service="undeclared", application="",
                 ports="1-4443,4445-31336,31338-65535", state=State.CLOSED, **quiet),
        replaced(check("laptop", "db-1", "redis", "policy.outside"), service="undeclared", application="",
                 ports="7001", state=State.FILTERED, **quiet),
        replaced(check("laptop", "svc-1", "redis", "policy.outside"), service="undeclared", application="",
                 ports="1-65535", state=State.OPEN, verdict=Verdict.INCONCLUSIVE, cause=Cause.CONFLICTING_EVIDENCE,
                 detail="something answers laptop on every port", **quiet | {"id": "laptop-everything"}),
    ]  # fmt: skip
    return made


def search() -> Exposed:
    return Exposed(
        scope=Exposure.ALL,
        standing=(
            Standing(
                entry="ssh from coordinator", transport=Transport.TCP, ports="22", who="coordinator",
                targets=("db-1", "redis-1"),
            ),
        ),
        kinds=(
            Kind(zone=Zone.INSIDE, role="engine", roles=("agent", "engine"), sources=ENGINES),
            Kind(zone=Zone.OUTSIDE, role="outside", roles=(), sources=("laptop",)),
        ),
        unnamed=(
            Unnamed(
                target="db-1", transport=Transport.TCP, ports="4444", addresses=("0.0.0.0",), process=STRANGE.process,
                pid=4242, user="uid 1234", asked=(*ENGINES, "laptop"), reached=(*ENGINES, "laptop"),
            ),
            Unnamed(
                target="db-1", transport=Transport.TCP, ports="7001", addresses=("0.0.0.0", "::"), process="cupsd",
                pid=9, user="root", asked=("engine-1", "laptop"),
            ),
            Unnamed(target="db-1", transport=Transport.UDP, ports="323", addresses=("127.0.0.1", "::1")),
        ),
        sweeps=(
            Sweeping(
                source="laptop", target="db-1", address="10.20.0.30", transport=Transport.TCP, ports="1-65535",
                states={State.OPEN: "4444,31337", State.CLOSED: "1-4443,4445-7000,7002-31336,31338-65535",
                        State.REJECTED: "7001"},
                rejections=(Rejection(sender="10.20.0.254", type=3, code=13, ports="7001"),),
                sent=65_600, answers=65_535, residual=2e-8, seconds=33.2, engine="packet",
            ),
            Sweeping(
                source="laptop", target="db-1", address="10.20.0.30", transport=Transport.UDP, ports="1-65535",
                states={State.OPEN_FILTERED: "53", State.FILTERED: "1-52,54-65535"}, arrived="53",
                sent=262_000, residual=3e-7, seconds=130.0, engine="packet",
            ),
            Sweeping(
                source="laptop", target="svc-1", address="10.20.0.21", transport=Transport.TCP, ports="1-65535",
                states={State.OPEN: "1-65535"}, everything=True, sent=65_535, seconds=33.0, engine="packet",
            ),
        ),
        sent=393_140,
    )  # fmt: skip
