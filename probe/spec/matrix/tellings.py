"""What the keys of a row say, in the few words that go into a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.expand import variables_of
from probe.model.http import Method
from probe.model.words import Enough, Family, Hosts, Listen, Need
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.conditions import Condition
    from probe.model.http import HttpDemand
    from probe.model.matrix import Flow, Matrix, Role, Scope, Service, Variable
    from probe.model.protocols import Spoken
    from probe.model.secret import SecretSource
    from probe.model.tls import TlsDemand

_FAMILIES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
_LISTEN = {
    Listen.ALL: "",
    Listen.SOME: "not all listen",
    Listen.ACTIVE: "the active host alone listens",
    Listen.ONCE: "listens once",
    Listen.NONE: "nothing listens",
}
_HOSTS = {Hosts.ANY: "", Hosts.OTHER: "each to the others", Hosts.SAME: "each to itself"}
_ENOUGH = {Enough.ALL: "", Enough.ONE: "one of them is enough", Enough.FIRST: "the first that works"}


def one_line(text: str) -> str:
    """For a cell or a heading: without line breaks, and with nothing that a terminal would obey."""
    return printable(" ".join(text.split()))


def about(text: str, marks: Iterable[str], cite: str = "") -> str:
    """`help (marks) [cite]`."""
    inside = "; ".join(mark for mark in marks if mark)
    return one_line(f"{text} {f'({inside})' if inside else ''} {f'[{cite}]' if cite else ''}")


def protocol_told(spoken: Spoken) -> str:
    """`tcp`, `http`, `postgresql/tcp`, `esp`."""
    alone = not spoken.application or spoken.protocol is None or "/" in spoken.application
    return spoken.word if alone else f"{spoken.application}/{spoken.protocol}"


def role_marks(role: Role) -> tuple[str, ...]:
    """What is special about its hosts."""
    whence = f", with an address in {', '.join(role.networks)}" if role.networks else ""
    return (
        "every host" if role.every_host else "",
        f"outside{whence}" if role.outside else "",
        f"open, but allowed by no flow: {role.policy}" if role.policy else "",
    )


def service_marks(service: Service) -> tuple[str, ...]:
    """What is special about it, without its condition."""
    return (
        _LISTEN[service.listen],
        f"{service.count} in use at a time" if service.count else "",
        "loopback only" if service.local else "",
        f"on its {service.address}" if service.address else "",
        f"at {', '.join(service.at)}" if service.at and service.roles else "",
    )


def http_told(demand: HttpDemand | None) -> str:
    """How it is asked in HTTP, without a secret: `HEAD; host a.example; header X-Key; body has "ok"`."""
    if demand is None:
        return ""
    names = [name for name, _ in demand.headers]
    told = [
        demand.method.value if demand.method is not Method.GET else "",
        f"host {demand.host}" if demand.host else "",
        f"header{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "",
        *(f"{kind} credentials from {source}" for kind, source in _credentials(demand)),
        f"body has {demand.text!r}" if demand.text else "",
        f"body matches {demand.regex!r}" if demand.regex else "",
        f"{demand.redirects} redirect{'s' if demand.redirects > 1 else ''} followed" if demand.redirects else "",
    ]
    return one_line("; ".join(part for part in told if part))


def _credentials(demand: HttpDemand) -> Iterable[tuple[str, SecretSource]]:
    return [(kind, source) for kind, source in (("basic", demand.basic), ("bearer", demand.bearer)) if source]


def tls_told(demand: TlsDemand | None) -> str:
    """What is demanded of TLS: `server name a.example; trusted by ca.pem; at least TLS 1.2`."""
    if demand is None:
        return ""
    told = [
        f"server name {demand.server_name}" if demand.server_name else "",
        "made out to it" if demand.name else "",
        f"trusted by {demand.ca or 'the source'}" if demand.trust else "",
        f"at least TLS {demand.minimum}" if demand.minimum else "",
        "not expired" if demand.days == 0 else "",
        f"valid for {demand.days} day{'s' if demand.days > 1 else ''} more" if demand.days else "",
        f"client certificate {demand.certificate}" if demand.certificate else "",
    ]
    return one_line("; ".join(part for part in told if part))


def flow_marks(flow: Flow) -> tuple[str, ...]:
    """What is special about it, without its condition."""
    return (
        _HOSTS[flow.hosts],
        scope_told(flow.scope) if flow.scope else "",
        _ENOUGH[flow.enough],
        f"during {flow.during}" if flow.during else "",
        flow.need.value if flow.need is not Need.REQUIRED else "",
        f"from port {flow.source_port}" if flow.source_port else "",
    )


def scope_told(scope: Scope) -> str:
    """`same rack`, `another dc`, `to its standby`, `to those whose primary it is`."""
    told = [
        f"same {' and '.join(scope.same)}" if scope.same else "",
        *(f"another {name}" for name in scope.different),
        *(f"to its {name}" for name in scope.names),
        *(f"to those whose {name} it is" for name in scope.named_by),
    ]
    return ", ".join(part for part in told if part)


def if_told(condition: Condition | None) -> str:
    """`if lb`, `if no lb`, `if source: gpu and tls`, empty for no condition."""
    return one_line(f"if {condition_told(condition)}") if condition else ""


def condition_told(condition: Condition, *, holds: bool = True, of_host: bool = False) -> str:
    """The condition, or with `holds` False its opposite. `of_host`: what it asks, it asks of one host."""
    no = "" if holds else "not "
    if condition.role is not None:
        return f"{no if of_host or holds else 'no '}{condition.role}"
    if condition.variable is not None:
        return _variable(condition, holds=holds)
    if condition.family is not None:
        return f"{no}{_FAMILIES[condition.family]}"
    if condition.negated is not None:
        return condition_told(condition.negated, holds=not holds, of_host=of_host)
    for word, inner in (("source", condition.source), ("target", condition.target)):
        if inner is not None:
            return f"{word}: {condition_told(inner, holds=holds, of_host=True)}"
    told = [_part(part, of_host=of_host) for part in condition.parts]
    whole = (" and " if condition.all_of else " or ").join(told)
    return whole if holds else f"not ({whole})"


def _variable(condition: Condition, *, holds: bool) -> str:
    values = condition.values
    if values in (None, ("true",), ("false",)):
        return f"{'' if holds is (values != ('false',)) else 'not '}{condition.variable}"
    return f"{condition.variable} is {'' if holds else 'not '}{' or '.join(values or ())}"


def _part(part: Condition, *, of_host: bool) -> str:
    """With parentheses where it has parts of its own."""
    told = condition_told(part, of_host=of_host)
    return f"({told})" if part.all_of or part.any_of or part.source or part.target else told


def default_told(variable: Variable, matrix: Matrix) -> str:
    """The default, or what it means that there is none."""
    value = variable.default
    if value is None:
        return "must be set" if variable.name in _needed(matrix) else "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _needed(matrix: Matrix) -> set[str]:
    """The variables without which no plan can be made."""
    conditions = [service.when for service in matrix.services.values()] + [flow.when for flow in matrix.flows]
    asked = {part.variable for when in conditions if when for part in when.walk() if part.variable}
    ports = (service.port for service in matrix.services.values() if service.port)
    return asked | {name for text in ports for name in variables_of(text)}
