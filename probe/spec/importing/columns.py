"""Which column is what: the heads of a table, and the heading over it, in the words that documents use."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from probe.spec.importing.tables import words

if TYPE_CHECKING:
    from probe.spec.importing.tables import Table


class Column(Enum):
    SOURCE = auto()
    TARGET = auto()
    ROLE = auto()
    PORT = auto()
    PROTOCOL = auto()
    USE = auto()
    PROTOCOL_AND_USE = auto()
    PROFILE = auto()
    OTHER = auto()


class Kind(Enum):
    """What the rows of a table are."""

    SERVICES = auto()
    FLOWS = auto()
    PROFILES = auto()
    UNKNOWN = auto()


class Layout(NamedTuple):
    """Where in a row to look; None or empty where the table has no such column.

    `ports` are the columns of ports, each with the protocols that its head names. `outside`: the heading says that
    the rows are what is reachable from outside. `origin` and `goal` are the words of a heading such as "Connections
    from the X".
    """

    kind: Kind
    source: int | None = None
    target: int | None = None
    ports: tuple[tuple[int, tuple[str, ...]], ...] = ()
    protocol: int | None = None
    use: int | None = None
    combined: bool = False
    outside: bool = False
    inbound: bool = False
    outbound: bool = False
    origin: str = ""
    goal: str = ""
    others: tuple[int, ...] = ()


_WORDS: dict[Column, frozenset[str]] = {
    Column.SOURCE: words("source src from origin originator initiator requester client"),
    Column.TARGET: words("target destination dest dst to receiver"),
    Column.PROFILE: words("profile topology edition flavor flavour"),
    Column.ROLE: words(
        "role mode node host machine server system component group module vm device instance container pod tier name "
        "service application app process daemon product"
    ),
    Column.PORT: frozenset({"port"}),
    Column.PROTOCOL: words("protocol proto transport"),
    Column.USE: words(
        "description use usage used purpose comment note remark detail function reason explanation traffic"
    ),
}
# Beside another column for the role, these say what runs there and not where.
_WHAT_RUNS = words("service application app process daemon product name")
_SPOKEN = words("tcp udp http https")
_KINDS_OF_CLUSTER = words("cluster deployment installation install setup")
_OUTSIDE = re.compile(r"\b(?:exposed|outside|external|externally|inbound|ingress)\b", re.IGNORECASE)
_INBOUND = re.compile(r"\b(?:inbound|ingress)\b", re.IGNORECASE)
_OUTBOUND = re.compile(r"\b(?:outbound|egress|outgoing)\b", re.IGNORECASE)
_ENDS = re.compile(r"\bconnections?\s+(from|to)\s+(?:the\s+|an?\s+)?(.+)", re.IGNORECASE)


def words_of(head: str) -> list[str]:
    """Lower case, in the singular."""
    return [word[:-1] if word.endswith("s") and len(word) > 3 else word for word in re.findall("[a-z]+", head.lower())]


def column(head: str) -> Column:
    """What a column with this head holds."""
    said = words_of(head)
    has = {kind for kind, known in _WORDS.items() if known.intersection(said)}
    ends = has & {Column.SOURCE, Column.TARGET}
    if Column.PORT in has:
        return _of_port(said, has)
    if Column.PROTOCOL in has:
        return Column.PROTOCOL_AND_USE if Column.USE in has else Column.PROTOCOL
    if len(ends) == 1:
        return ends.pop()
    if Column.PROFILE in has or ("type" in said and _KINDS_OF_CLUSTER.intersection(said)):
        return Column.PROFILE
    if Column.USE in has:
        return Column.USE
    return Column.ROLE if Column.ROLE in has and not ends else Column.OTHER


def _of_port(said: list[str], has: set[Column]) -> Column:
    """ "Source port" says nothing of what listens; "from port" and "to port" are the ends of a range."""
    if Column.SOURCE in has or said in (["to", "port"], ["port", "to"]):
        return Column.OTHER
    return Column.USE if Column.USE in has and Column.PROTOCOL not in has else Column.PORT


def layout(table: Table) -> Layout:
    """What the table is, and where its values are."""
    found = [column(head) for head in table.columns]

    def first(*kinds: Column) -> int | None:
        return next((index for index, kind in enumerate(found) if kind in kinds), None)

    ports = tuple((index, _spoken(head)) for index, head in enumerate(table.columns) if found[index] is Column.PORT)
    role = _role(table, found)
    if not ports:
        profile = first(Column.PROFILE)
        if profile is None or role is None:
            return Layout(Kind.UNKNOWN)
        return _with_others(table, Layout(Kind.PROFILES, source=profile, target=role, use=first(Column.USE)))
    source, target = first(Column.SOURCE), first(Column.TARGET)
    use = first(Column.PROTOCOL_AND_USE, Column.USE)
    way = _ENDS.search(table.heading)
    origin, goal = (way[2] if way and way[1].lower() == end else "" for end in ("from", "to"))
    if source is not None and target is None:
        target = role
    elif source is None and (target is not None or goal):
        source = role
    else:
        target = target if target is not None else role
    outside = bool(_OUTSIDE.search(table.heading)) and source is None
    between = source is not None or first(Column.TARGET) is not None or outside or bool(origin)
    return _with_others(
        table,
        Layout(
            Kind.FLOWS if between else Kind.SERVICES,
            source=source,
            target=target,
            ports=ports,
            protocol=first(Column.PROTOCOL),
            use=use,
            combined=use is not None and found[use] is Column.PROTOCOL_AND_USE,
            outside=outside,
            inbound=bool(_INBOUND.search(table.heading)),
            outbound=bool(_OUTBOUND.search(table.heading)),
            origin=origin,
            goal=goal,
        ),
    )


def _spoken(head: str) -> tuple[str, ...]:
    """The protocols of "UDP ports"."""
    return tuple(word for word in words_of(head) if word in _SPOKEN)


def _role(table: Table, found: list[Column]) -> int | None:
    """The column that says where something runs, before one that says what runs there."""
    roles = [index for index, kind in enumerate(found) if kind is Column.ROLE]
    where = [index for index in roles if not _WHAT_RUNS.intersection(words_of(table.columns[index]))]
    return next(iter(where or roles), None)


def _with_others(table: Table, found: Layout) -> Layout:
    used = {found.source, found.target, found.protocol, found.use, *(index for index, _ in found.ports)}
    return found._replace(others=tuple(index for index in range(len(table.columns)) if index not in used))
