"""Where two matrices disagree, as a reader of the two documents would say it.

The names of services, the cut of the rows and what cites what do not count: ports compare by role, connections by
source, role and ports. A service that moved is told once, and not again for each connection to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from probe.model.words import Expect
from probe.spec.matrix import tellings
from probe.spec.matrix.alike import endpoints_alike, in_words_of, roles_alike
from probe.spec.matrix.claims import flow_claims, gaps, service_claims
from probe.spec.matrix.moves import moved_back, moves
from probe.spec.matrix.portspan import united
from probe.spec.matrix.tables import Table
from probe.spec.matrix.tellings import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from probe.model.matrix import Matrix, Role, Variable
    from probe.spec.matrix.alike import Names
    from probe.spec.matrix.claims import Claim, Gap
    from probe.spec.matrix.moves import Move

# The sections of a comparison, and what tells their rows apart.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Roles": ("Role",),
    "Ports by role": ("Role",),
    "Connections": ("Target", "Port"),
    "Must never be reachable": ("Target", "Port"),
    "Variables": ("Variable",),
    "Profiles": ("Profile",),
    "Open, but allowed by no flow": ("From",),
}


class Difference(NamedTuple):
    """`first` and `second` are what the two say; empty where one says nothing of it."""

    section: str
    subject: tuple[str, ...]
    first: str
    second: str


def compare(first: Matrix, second: Matrix, *, texts: bool = False) -> list[Difference]:
    """Roles of the second are called what the first calls them. `texts`: descriptions and remedies count too."""
    renamed = roles_alike(first, second)
    ends = endpoints_alike(first, second)
    a, b = in_words_of(first, {}), in_words_of(second, renamed)
    mine, theirs = service_claims(a, {}, texts=texts), service_claims(b, ends, texts=texts)
    differing = gaps(mine, theirs)
    moved = moves(differing, mine, theirs)
    back = moved_back(theirs, moved)
    found = [*_roles(a, b, renamed, texts=texts), *_ports(differing, moved)]
    for section, expect in (("Connections", Expect.REACH), ("Must never be reachable", Expect.BLOCK)):
        ways = gaps(flow_claims(a, mine, expect, texts=texts), flow_claims(b, back, expect, texts=texts))
        found += _connections(section, ways, moved)
    found += [*_variables(a, b, texts=texts), *_profiles(a, b, texts=texts), *_policy(a, b)]
    order = {name: number for number, name in enumerate({**a.roles, **b.roles})}
    return sorted(found, key=lambda row: (list(SECTIONS).index(row.section), order.get(row.subject[0], len(order))))


def as_tables(found: Sequence[Difference], names: tuple[str, str]) -> list[Table]:
    return [
        Table(
            section,
            (*columns, *names),
            [(*row.subject, row.first or "-", row.second or "-") for row in found if row.section == section],
            long=2,
        )
        for section, columns in SECTIONS.items()
        if any(row.section == section for row in found)
    ]


def as_json(found: Sequence[Difference], names: tuple[str, str]) -> dict[str, Any]:
    """`portcheck.matrix-diff/1`; `first` and `second` are null where that matrix says nothing of it."""
    rows = []
    for row in found:
        subject = zip(SECTIONS[row.section], row.subject, strict=True)
        told = {"first": row.first or None, "second": row.second or None}
        rows.append({"section": row.section, **{column.lower(): text for column, text in subject}, **told})
    return {"schema": "portcheck.matrix-diff/1", "first": names[0], "second": names[1], "differences": rows}


# --- ports and connections --------------------------------------------------------------------------------------------


def _ports(found: Iterable[Gap], moved: Sequence[Move]) -> Iterator[Difference]:
    """A row for each service that differs, and one for all that only one side has at a role."""
    paired = {gap for move in moved for gap in (move.first, move.second)}
    for move in moved:
        yield _two_sided(move.first, move.second)
    alone: dict[tuple[str, bool], list[str]] = {}
    for gap in found:
        if gap.first and gap.second:
            yield _two_sided(gap, gap)
        elif gap not in paired:
            told = _offered(gap, gap.first or gap.second, _details(gap.first + gap.second))
            alone.setdefault((gap.key[0], bool(gap.first)), []).append(told)
    for (role, is_first), many in alone.items():
        sides = (", ".join(many), "") if is_first else ("", ", ".join(many))
        yield Difference("Ports by role", (role,), *sides)


def _two_sided(one: Gap, other: Gap) -> Difference:
    mine, theirs = one.first, other.second
    common = _common(mine + theirs)
    return Difference("Ports by role", (one.key[0],), _offered(one, mine, common), _offered(other, theirs, common))


def _offered(gap: Gap, claims: Sequence[Claim], known: set[str]) -> str:
    """`443 http`, `9000 http (if not tls) or https (if tls)`."""
    return f"{gap.span} {' or '.join(claim.protocol + _marked(claim, known) for claim in claims)}".strip()


def _connections(section: str, found: Iterable[Gap], moved: Iterable[Move]) -> Iterator[Difference]:
    """A row for each target and its ports, with the sources that only one side has, or that the two have otherwise."""
    labels = {(move.first.key, move.first.span): _both(move) for move in moved}
    rows: dict[Any, tuple[list[str], list[str]]] = {}
    for gap in found:
        known = _common(gap.first + gap.second) if gap.first and gap.second else _details(gap.first + gap.second)
        cells = rows.setdefault((gap.key[1:], gap.span), ([], []))
        for claims, cell in zip((gap.first, gap.second), cells, strict=True):
            if claims:
                cell.append(gap.key[0] + " or".join(dict.fromkeys(_marked(claim, known) for claim in claims)))
    merged: dict[Any, list[Any]] = {}
    for (key, span), (mine, theirs) in rows.items():
        label = labels.get((key, span), "")
        merged.setdefault((key, label, ", ".join(sorted(mine)), ", ".join(sorted(theirs))), []).append(span)
    for (key, label, here, there), spans in merged.items():
        ports = label or f"{united(spans)} {key[1]}".strip()
        yield Difference(section, (key[0], ports), here, there)


def _both(move: Move) -> str:
    (_, here), (_, there) = move.first.key, move.second.key
    if here == there:
        return f"{move.first.span} / {move.second.span} {here}".strip()
    return f"{move.first.span} {here} / {move.second.span} {there}"


def _marked(claim: Claim, known: set[str]) -> str:
    marks = [mark for mark in (claim.condition, *claim.marks, *claim.details) if mark and mark not in known]
    return f" ({'; '.join(marks)})" if marks else ""


def _common(claims: Sequence[Claim]) -> set[str]:
    """What all of them say, which need not be told."""
    return set.intersection(*({claim.condition, *claim.marks, *claim.details} for claim in claims))


def _details(claims: Sequence[Claim]) -> set[str]:
    return {detail for claim in claims for detail in claim.details}


# --- the other sections -----------------------------------------------------------------------------------------------


def _roles(a: Matrix, b: Matrix, renamed: Names, *, texts: bool) -> Iterator[Difference]:
    theirs = {mine: name for name, mine in renamed.items()}
    mine = {name: _role(role, name, texts=texts) for name, role in a.roles.items()}
    others = {name: _role(role, theirs.get(name, name), texts=texts) for name, role in b.roles.items()}
    yield from _rows("Roles", mine, others)


def _role(role: Role, name: str, *, texts: bool) -> tuple[str, ...]:
    place, zone, policy = tellings.role_marks(role)
    return (
        name,
        f"also called {', '.join(role.aliases)}" if role.aliases else "no other name",
        f"includes {', '.join(role.includes)}" if role.includes else "includes none",
        place or "not every host",
        zone or "inside",
        policy or "no policy of its own",
        one_line(role.help) if texts else "",
    )


def _variables(a: Matrix, b: Matrix, *, texts: bool) -> Iterator[Difference]:
    def told(matrix: Matrix) -> dict[str, tuple[str, ...]]:
        return {name: _variable(row, matrix, texts=texts) for name, row in matrix.variables.items()}

    yield from _rows("Variables", told(a), told(b))


def _variable(row: Variable, matrix: Matrix, *, texts: bool) -> tuple[str, ...]:
    default, kind = one_line(tellings.default_told(row, matrix)), row.type.value
    return (default, kind, f"one of {', '.join(row.choices)}", one_line(row.help) if texts else "")


def _profiles(a: Matrix, b: Matrix, *, texts: bool) -> Iterator[Difference]:
    def told(matrix: Matrix) -> dict[str, tuple[str, ...]]:
        return {
            name: (", ".join(row.requires), one_line(row.help) if texts else "")
            for name, row in matrix.profiles.items()
        }

    yield from _rows("Profiles", told(a), told(b))


def _policy(a: Matrix, b: Matrix) -> Iterator[Difference]:
    def told(matrix: Matrix) -> dict[str, tuple[str, ...]]:
        return {zone.value: (policy.value,) for zone, policy in matrix.policy.items()}

    yield from _rows("Open, but allowed by no flow", told(a), told(b))


def _rows(
    section: str, mine: Mapping[str, tuple[str, ...]], theirs: Mapping[str, tuple[str, ...]]
) -> Iterator[Difference]:
    """Of a name that both have, what differs; of one that only one side has, the first that there is to say."""
    for name in {**mine, **theirs}:
        here, there = mine.get(name), theirs.get(name)
        if here is None or there is None:
            yield Difference(section, (name,), here[0] if here else "", there[0] if there else "")
        elif here != there:
            pairs = [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]]
            yield Difference(section, (name,), *("; ".join(filter(None, side)) for side in zip(*pairs, strict=True)))
