"""Rows that contradict each other, that can never match, or that say the same twice."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from probe.model.conditions import Condition
from probe.model.matrix import ANY, EVERY_HOST
from probe.model.words import Expect, Family, Hosts, VariableType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from probe.model.matrix import Flow, Matrix, Variable
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.problems import Place

_MOST_CASES = 4096
_Atom = tuple[str, str, str]
"""Whose it is (`source`, `target`, or empty), what it is (`role`, `variable`, `family`), its name."""


def contradictions(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """Rows of the document that want what another row without any condition forbids, or the other way round."""
    blocks = [flow for flow in merged.flows if flow.expect is Expect.BLOCK and _plain(flow)]
    reaches = [flow for flow in merged.flows if flow.expect is Expect.REACH and _plain(flow)]
    own = _numbers(document)
    for block in blocks:
        for reach in reaches:
            later = max(block, reach, key=lambda flow: (merged.names.index(flow.matrix), _at(flow, own)))
            shared = [name for name in block.services if name in reach.services]
            who = _both(block, reach)
            if shared and who and _at(later, own) >= 0:
                other = block if later is reach else reach
                wants = ("forbids", "wants it") if later is block else ("wants", "forbids it")
                message = f"{later.rule} {wants[0]} {who} to reach {shared[0]!r}, and {other.rule} {wants[1]}"
                yield (
                    document.value("flows", _at(later, own)).place,
                    message,
                    "remove one, or narrow it with when, hosts or scope",
                )


def never(document: Document, merged: Matrix) -> Iterator[tuple[Place, str, str]]:
    """Rows of the document that no inventory can have a pair for."""
    for name, service in document.matrix.services.items():
        if service.when and not possible(service.when, merged.variables):
            yield document.value("services", name, "when").place, f"the condition of {name!r} can never hold", ""
    for number, flow in enumerate(document.matrix.flows):
        path = ("flows", number)
        if flow.when and not possible(flow.when, merged.variables):
            yield document.value(*path, "when").place, f"the condition of {flow.rule} can never hold", ""
            continue
        if flow.scope and (both := set(flow.scope.same) & set(flow.scope.different)):
            message = f"{flow.rule} matches no pair of hosts: {min(both)!r} cannot be the same and differ"
            yield document.value(*path, "scope").place, message, ""
        if flow.hosts is Hosts.SAME and not flow.between and not _may_be_itself(flow, merged):
            message = f"{flow.rule} matches no host: none inside is outside"
            yield document.value(*path, "hosts").place, message, "hosts: same is for a host that reaches itself"
        if flow.hosts is Hosts.SAME and flow.expect is Expect.BLOCK:
            message = f"{flow.rule} matches no pair of hosts: a host is never forbidden to reach itself"
            yield document.value(*path, "hosts").place, message, "remove it"
        for to in flow.services:
            offered = merged.services[to].when if to in merged.services else None
            if flow.when and offered and possible(offered, merged.variables):
                together = Condition(all_of=(flow.when, offered))
                if not possible(together, merged.variables):
                    message = f"{flow.rule} never leads to {to!r}: their conditions exclude each other"
                    yield document.word((*path, "to"), to), message, ""


def repeated(document: Document) -> Iterator[tuple[Place, str, str]]:
    """Rows that differ from another in nothing but their words."""
    first: dict[object, int] = {}
    for number, flow in enumerate(document.matrix.flows):
        for source in flow.sources:
            for to in flow.services:
                what = (source, to, flow.between, flow.hosts, flow.scope, flow.enough, flow.expect, flow.when)
                if (earlier := first.setdefault((*what, flow.during), number)) != number:
                    other = document.matrix.flows[earlier].rule
                    message = f"{flow.rule} repeats {other}: {source} to {to!r}"
                    yield document.word(("flows", number, "to"), to), message, "keep one of the two"


def possible(condition: Condition, variables: Mapping[str, Variable]) -> bool:
    """Whether some values of what it asks for make it hold. Of very many cases it is not asked."""
    atoms: dict[_Atom, list[object]] = {}
    for atom, words in _atoms(condition, "", variables):
        values = atoms.setdefault(atom, [])
        values += [word for word in words if word not in values]
    size = 1
    for values in atoms.values():
        size *= len(values)
    if size > _MOST_CASES:
        return True
    return any(_holds(condition, "", dict(zip(atoms, case, strict=True))) for case in product(*atoms.values()))


def _atoms(condition: Condition, whose: str, variables: Mapping[str, Variable]) -> Iterator[tuple[_Atom, list[object]]]:
    """What is asked for, with the values that make a difference."""
    if condition.role is not None:
        yield (whose, "role", condition.role), [True, False]
    if condition.variable is not None:
        variable = variables.get(condition.variable)
        words: list[object] = list(condition.values or ())
        if variable is not None and variable.type is VariableType.BOOLEAN:
            words = ["true", "false"]
        elif variable is not None and variable.choices:
            words = list(variable.choices)
        else:
            words.append(None)
        yield (whose or "target", "variable", condition.variable), words
    if condition.family is not None:
        yield ("", "family", ""), list(Family)
    for name, part in (("source", condition.source), ("target", condition.target)):
        if part is not None:
            yield from _atoms(part, name, variables)
    for part in (condition.negated, *(condition.all_of or ()), *(condition.any_of or ())):
        if part is not None:
            yield from _atoms(part, whose, variables)


def _holds(condition: Condition, whose: str, case: Mapping[_Atom, object]) -> bool:
    if condition.role is not None:
        return case[whose, "role", condition.role] is True
    if condition.variable is not None:
        return case[whose or "target", "variable", condition.variable] in (condition.values or ("true",))
    if condition.family is not None:
        return case["", "family", ""] is condition.family
    if condition.source is not None:
        return _holds(condition.source, "source", case)
    if condition.target is not None:
        return _holds(condition.target, "target", case)
    if condition.negated is not None:
        return not _holds(condition.negated, whose, case)
    if condition.all_of is not None:
        return all(_holds(part, whose, case) for part in condition.all_of)
    return any(_holds(part, whose, case) for part in condition.any_of or ())


def _plain(flow: Flow) -> bool:
    """Whether it is about all pairs of its source and its services."""
    return flow.when is None and flow.scope is None and flow.hosts is Hosts.ANY and not flow.between


def _both(one: Flow, other: Flow) -> str:
    """A word for sources that both flows are about; empty if there is none that is certain."""
    return next((word for word in one.sources if _covers(other, word)), "") or next(
        (word for word in other.sources if _covers(one, word)), ""
    )


def _covers(flow: Flow, source: str) -> bool:
    """A role may be one of hosts outside, so that every-host covers every-host alone."""
    return source in flow.sources or ANY in flow.sources


def _numbers(document: Document) -> dict[tuple[str, str], int]:
    return {(flow.matrix, flow.rule): number for number, flow in enumerate(document.matrix.flows)}


def _at(flow: Flow, own: Mapping[tuple[str, str], int]) -> int:
    """The flow's number in the document, -1 if it is another's."""
    return own.get((flow.matrix, flow.rule), -1)


def _may_be_itself(flow: Flow, merged: Matrix) -> bool:
    parties = [merged.roles[source] for source in flow.sources if source in merged.roles]
    inside = any(not role.outside for role in parties) or {EVERY_HOST, ANY} & set(flow.sources)
    served = any(
        not merged.roles[role].outside
        for to in flow.services
        if to in merged.services
        for role in merged.services[to].roles
        if role in merged.roles
    )
    return bool(inside) and served
