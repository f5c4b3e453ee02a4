"""What holds for every plan, whatever the matrix and the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from probe.errors import UserError
from probe.model.conditions import Condition
from probe.model.inventory import Host, Inventory
from probe.model.matrix import ANY, EVERY_HOST, OUTSIDE, Flow, Matrix, Role, Scope, Service, Variable
from probe.model.words import Enough, Expect, Family, Hosts, Listen, Need, Phase, Policy, VariableType, Zone
from probe.plan import Plan, Wishes
from probe.plan.rules import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.model.check import Check

ROLES = ("a", "b", "c", "agent", "guest")
SERVICES = ("s0", "s1", "s2", "s3")
# Few ports and addresses, so that rows meet.
PORTS = ("1", "2", "1-3", "2,4", "{p}", "{p}-{p + n - 1}", "{p + hosts(a)}", "{q}", "random")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.1.0.1", "fd00::1", "name.example")
VARIABLES = {
    "p": Variable(name="p", type=VariableType.PORT, default=3),
    "q": Variable(name="q", default="unstated"),
    "n": Variable(name="n", type=VariableType.COUNT, default=1),
    "tls": Variable(name="tls", type=VariableType.BOOLEAN, default=True),
    "rack": Variable(name="rack", type=VariableType.TEXT),
    "peer": Variable(name="peer", type=VariableType.NAMES),
    "net": Variable(name="net", type=VariableType.ADDRESSES),
    "far": Variable(name="far", type=VariableType.ENDPOINTS, default=()),
}


def some(values: Any, least: int = 1, most: int = 3) -> Any:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


def rarely(strategy: Any, otherwise: Any) -> Any:
    return st.integers(0, 3).flatmap(lambda number: st.just(otherwise) if number else strategy)


CONDITIONS = st.recursive(
    st.sampled_from(
        [
            Condition(role="a"),
            Condition(variable="tls"),
            Condition(family=Family.IPV6),
            Condition(source=Condition(role="b")),
        ]
    ),
    lambda inner: (
        st.builds(lambda part: Condition(negated=part), inner)
        | st.builds(lambda one, two: Condition(all_of=(one, two)), inner, inner)
        | st.builds(lambda one, two: Condition(any_of=(one, two)), inner, inner)
    ),
    max_leaves=3,
)
FOR_SERVICES = st.sampled_from([Condition(role="a"), Condition(variable="tls"), Condition(target=Condition(role="b"))])


@st.composite
def services(draw: Any, name: str) -> Service:
    kind = draw(st.sampled_from(["hosts", "hosts", "hosts", "local", "address", "floating", "far"]))
    return Service(
        name=name,
        roles=() if kind == "far" else draw(some(ROLES)),
        port=draw(st.sampled_from(PORTS)),
        protocols=draw(st.sampled_from([("tcp",), ("udp",), ("tcp", "udp"), ("dns",), ("icmp",), ("http", "sctp")])),
        listen=draw(rarely(st.sampled_from(Listen), Listen.ALL)),
        local=kind == "local",
        address="net" if kind == "address" else "",
        at=draw(some(("{far}", "10.0.0.1:1", "10.0.0.2", "far.example", "h1:1", "*.example:1")))
        if kind in ("floating", "far")
        else (),
        when=draw(rarely(FOR_SERVICES, None)),
        unchecked=draw(rarely(st.just("by hand"), "")),
        matrix="m",
    )


@st.composite
def flows(draw: Any, number: int) -> Flow:
    between = draw(rarely(st.just(True), False))
    scopes = st.builds(Scope, same=st.just(("rack",))) | st.builds(Scope, different=st.just(("rack",)))
    scopes |= st.builds(Scope, names=st.just(("peer",))) | st.builds(Scope, named_by=st.just(("peer",)))
    return Flow(
        rule=f"flows[{number}]",
        sources=draw(some(ROLES, 2) if between else some((*ROLES, EVERY_HOST, OUTSIDE, ANY))),
        services=draw(some(SERVICES)),
        between=between,
        hosts=draw(rarely(st.sampled_from(Hosts), Hosts.ANY)),
        scope=draw(rarely(scopes, None)),
        enough=draw(rarely(st.sampled_from(Enough), Enough.ALL)),
        expect=draw(rarely(st.just(Expect.BLOCK), Expect.REACH)),
        when=draw(rarely(CONDITIONS, None)),
        during=draw(rarely(st.just("joining"), None)),
        need=draw(st.sampled_from(Need)),
        source_port=draw(rarely(st.sampled_from(["123", "1-65535"]), "")),
        unchecked=draw(rarely(st.just("by hand"), "")),
        matrix="m",
    )


@st.composite
def hosts(draw: Any, name: str) -> Host:
    said = {
        "p": st.integers(1, 3),
        "q": st.just("2-3"),
        "n": st.integers(0, 2),
        "tls": st.booleans(),
        "rack": st.sampled_from(["r1", "r2"]),
        "peer": st.sampled_from(["h0", "h1,h2"]),
        "net": st.sampled_from(["10.0.0.0/8", "10.1.0.1", "fd00::/8"]),
        "far": st.sampled_from(["10.0.0.1:1", "far.example:2,[fd00::1]:3", ""]),
        "portcheck_agent": st.just("none"),
    }
    return Host(
        name=name,
        addresses=draw(some(ADDRESSES)),
        roles=draw(some(ROLES, 0)),
        zone=draw(rarely(st.just(Zone.OUTSIDE), Zone.INSIDE)),
        vars=draw(st.fixed_dictionaries({}, optional=said)),
    )


@st.composite
def plans(draw: Any) -> tuple[Matrix, Inventory, Wishes]:
    roles = [
        Role(name="a", includes=draw(rarely(st.just(("b",)), ()))),
        Role(name="b", policy=draw(rarely(st.sampled_from(Policy), None))),
        Role(name="c"),
        Role(name="agent", every_host=True),
        Role(name="guest", outside=True, networks=("10.1.0.0/16",)),
    ]
    matrix = Matrix(
        names=("m",),
        variables=VARIABLES,
        roles={role.name: role for role in roles},
        services={name: draw(services(name)) for name in SERVICES},
        flows=tuple(draw(flows(number)) for number in range(draw(st.integers(1, 5)))),
        policy=draw(st.fixed_dictionaries({}, optional=dict.fromkeys(Zone, st.sampled_from(Policy)))),
    )
    there = {name: draw(hosts(name)) for name in ("h0", "h1", "h2")[: draw(st.integers(1, 3))]}
    wishes = Wishes(phase=draw(st.sampled_from(Phase)), strict=draw(st.booleans()), seed=draw(st.integers(0, 3)))
    return matrix, Inventory(source="hosts.txt", hosts=there), wishes


@settings(max_examples=250)
@given(plans())
def test_of_every_plan(asked: tuple[Matrix, Inventory, Wishes]) -> None:
    plan = Plan(*asked)
    try:
        checks = list(plan.all_checks())
    except UserError:  # two rows contradict each other; TestExpectBlock has more
        reject()
    assert len({check.id for check in checks}) == len(checks)
    assert all(check.ports for check in checks)
    assert not list(_both_ways(plan, checks))
    assert not list(_forbidden_though_allowed(plan, checks))
    assert not list(_dropped(plan, checks))


def _both_ways(plan: Plan, checks: list[Check]) -> Iterator[tuple[Check, Check]]:
    """One row wants reached what another wants blocked."""
    for reach in (check for check in checks if check.expect is Expect.REACH):
        for block in (check for check in checks if check.expect is Expect.BLOCK):
            one, other = ((check.source, check.address, check.transport) for check in (reach, block))
            # An endpoint may be an address of a host: what is allowed there, is not forbidden for want of a flow.
            front = plan.hosts[reach.target].external and block.rule.startswith("policy.")
            one_pair = reach.target == block.target or front
            if one == other and one_pair and reach.ports & block.ports:
                yield reach, block


def _forbidden_though_allowed(plan: Plan, checks: list[Check]) -> Iterator[tuple[Check, str]]:
    """A flow allows it, whether or not it is asked for, and it is expected blocked because none does."""
    for rule in plan.rules:
        if rule.flow.expect is Expect.BLOCK:
            continue
        for source, target, offer in pairs(rule, plan.parties, plan.present):
            for check in checks:
                ways = (check.source, check.target, check.transport) == (
                    source.host.name,
                    target.host.name,
                    offer.transport,
                )
                if ways and check.rule.startswith("policy.") and check.address in offer.addresses:
                    about = rule.is_about_address(source, target, check.address, plan.present)
                    if about is not False and check.ports & offer.ports:
                        yield check, rule.flow.rule


def _dropped(plan: Plan, checks: list[Check]) -> Iterator[str]:
    """Flows that are about a source with an agent, and yet neither asked for nor said to be not checkable."""
    named = {rule for check in checks for rule in (check.rule, *check.also)} | {row.rule for row in plan.unchecked}
    for rule in plan.rules:
        if rule.flow.rule in named:
            continue
        for source, target, _ in pairs(rule, plan.parties, plan.present):
            itself_forbidden = rule.flow.expect is Expect.BLOCK and source is target
            if source.host.name in plan.sources and not itself_forbidden:
                yield rule.flow.rule
