"""One row to values: who, which ports, which protocols, what for. What it leaves open is a question about the row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortError, PortSet
from probe.model.protocols import APPLICATIONS, has_ports, spoken
from probe.model.words import Protocol, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.spec.importing.columns import Layout
    from probe.spec.importing.tables import Row

MAX_NAMES = 20
MAX_PARTS = 50
_DASHES = "-\u2010-\u2015\u2212"
_CARRIED: dict[str, tuple[Transport, ...]] = {word.value: (word.transport,) for word in Protocol} | APPLICATIONS
_BARE = frozenset(transport.value for transport in Transport)
_ANY_PORT = frozenset({"any", "all", "*", "ephemeral", "dynamic", "random"})
_NOTHING = re.compile(rf"(?:n/?a|none|{'[' + _DASHES + ']'}*)\Z", re.IGNORECASE)

_TOKEN = re.compile(
    rf"(?P<ports>[0-9]+(?:\s*(?:[{_DASHES}]|\b(?:to|through)\b)\s*[0-9]+)?)(?![0-9.])"
    r"|(?P<word>[A-Za-z]+[0-9]*)|(?P<gap>[\s,;/&:]+)"
)
# "65,535" may be one number; "22,443" is written in the same way.
_THOUSANDS = re.compile(r"(?<![0-9,])[0-9]{1,2},[0-9]{3}(?![0-9])")
_ASIDE = re.compile(r"\(([^()]*)\)")
_SPLIT = re.compile(r"\s*[,;&]\s*|\s+and\s+|(?<=[A-Za-z)])\s*/\s*(?=[A-Za-z(])")

_SPOKEN = r"(?:tcp|udp|https?)(?![\w-]|/[0-9]|://)"
_HEAD = re.compile(
    rf"({_SPOKEN}(?:\s*(?:,|/|&|\band\b)\s*{_SPOKEN})*)"
    rf"(?P<end>\s*[:,.](?=\s|\Z)|\s+[{_DASHES}](?=\s|\Z)|\s*\Z)?\s*",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"(?:if|unless|only)\b", re.IGNORECASE)
_CHANGEABLE = re.compile(r"\b(?:can be (?:changed|configured)|configurable|customi[sz]able)\b", re.IGNORECASE)
_OUT = re.compile(r"(?:out|outbound|outgoing|egress)\b", re.IGNORECASE)


class Unsettled(Exception):
    """A row that cannot be expressed. The text says why."""


class Name(NamedTuple):
    """A role as the document calls it: "LB (agent)" is the word `LB` with the aside `agent`."""

    word: str
    aside: str = ""

    def __str__(self) -> str:
        return f"{self.word} ({self.aside})" if self.aside else self.word


class Group(NamedTuple):
    """Ports in the order of the document (`22`, `5000-6000`), and the protocols said of them."""

    parts: tuple[str, ...]
    protocols: tuple[str, ...]

    @property
    def ports(self) -> PortSet:
        return PortSet.parse(",".join(self.parts))


class Reading(NamedTuple):
    """A row. `others` are the cells that mean nothing here, with their heads."""

    sources: tuple[Name, ...]
    targets: tuple[Name, ...]
    groups: tuple[Group, ...]
    help: str
    questions: tuple[str, ...]
    others: tuple[str, ...]


class ProfileReading(NamedTuple):
    name: str
    roles: tuple[Name, ...]
    help: str
    others: tuple[str, ...]


def read(row: Row, columns: Sequence[str], layout: Layout) -> Reading:
    """Raises Unsettled where the row has no port or no protocol that a matrix can express."""
    questions: list[str] = []
    said, use = protocols(_cell(row, layout.protocol), questions), _cell(row, layout.use)
    if layout.protocol is None:
        head, use = _head(use, combined=layout.combined)
        said = said or head
    groups = tuple(
        group._replace(protocols=_refined(group.protocols or heading, said))
        for cell, heading in _ports_of(row, layout)
        for group in ports(cell, questions)
    )
    if _CONDITION.match(use):
        questions.append("this has a condition, and is drafted without it: add when: {role: …} if it is to hold")
    if _CHANGEABLE.search(use):
        questions.append('the port can be changed: a variable would let it, port: "{name}"')
    if layout.outbound or any(_OUT.match(row.cells[index]) for index in layout.others):
        questions.append("this speaks of outgoing connections: is it drafted the right way round?")
    return Reading(
        sources=names(_cell(row, layout.source)),
        targets=names(_cell(row, layout.target)),
        groups=groups,
        help=use,
        questions=tuple(questions),
        others=_others(row, columns, layout),
    )


def _ports_of(row: Row, layout: Layout) -> list[tuple[str, tuple[str, ...]]]:
    """The cells with ports, and what the heads of their columns say. Of several columns, those that are filled."""
    found = list(dict.fromkeys((row.cells[index], heading) for index, heading in layout.ports))
    return [each for each in found if not _NOTHING.match(each[0])] or found[:1]


def read_profile(row: Row, columns: Sequence[str], layout: Layout) -> ProfileReading:
    """A row of a table of profiles; raises Unsettled where it names no roles."""
    roles = names(_cell(row, layout.target))
    if not roles:
        raise Unsettled("there are no roles")
    return ProfileReading(_cell(row, layout.source), roles, _cell(row, layout.use), _others(row, columns, layout))


def _others(row: Row, columns: Sequence[str], layout: Layout) -> tuple[str, ...]:
    found = [(columns[index], row.cells[index]) for index in layout.others if row.cells[index]]
    return tuple(f"{head}: {text}" if head else text for head, text in found)


def _cell(row: Row, index: int | None) -> str:
    return "" if index is None else row.cells[index]


def names(cell: str) -> tuple[Name, ...]:
    """The roles of a cell, none twice: "app, db", "Controller (aiware-controller)". Brackets are not split."""
    asides: list[str] = []

    def keep(found: re.Match[str]) -> str:
        asides.append(found[1].strip())
        return f"\0{len(asides) - 1}\0"

    found: dict[Name, None] = {}
    for part in _SPLIT.split(_ASIDE.sub(keep, cell.replace("\0", ""))):
        word, *marks = part.split("\0")
        aside = ", ".join(asides[int(mark)] for mark in marks[::2])
        word = " ".join([word, *marks[1::2]]).strip(" *.:\"'") or ("*" if "*" in word else "")
        if word or aside:
            found[Name(word, aside) if word else Name(aside)] = None
    if len(found) > MAX_NAMES:
        raise Unsettled(f"more than {MAX_NAMES} names in one cell")
    return tuple(found)


def ports(cell: str, questions: list[str]) -> tuple[Group, ...]:
    """The ports of a cell, in groups of those that share their protocols: `22`, `80, 443/tcp, 53/udp`.

    Raises Unsettled where they are not clear; what is clear but odd is added to the questions.
    """
    if _NOTHING.match(cell):
        raise Unsettled("there is no port")
    if cell.lower() in _ANY_PORT or re.match(r"(?:any|all)\b", cell, re.IGNORECASE):
        raise Unsettled(f'"{cell}" names no ports: write a range such as 1024-65535, with listen: some')
    if found := _THOUSANDS.search(cell):
        questions.append(f'"{found[0]}" is read as two ports')

    def aside(found: re.Match[str]) -> str:
        if not (set(re.findall("[a-z]+", found[1].lower())) - _CARRIED.keys()):
            return f" {found[1]} "
        questions.append(f'"({found[1]})" beside the port is left out')
        return " "

    runs: list[tuple[str, list[str]]] = []
    for kind, text in _tokens(_ASIDE.sub(aside, cell)):
        if runs and runs[-1][0] == kind:
            runs[-1][1].append(text)
        else:
            runs.append((kind, [text]))
    shape = "".join(kind for kind, _ in runs)
    if "N" not in shape:
        raise Unsettled("there is no port")
    if shape == "N":
        return (_group(runs[0][1], ()),)
    if not re.fullmatch("(?:PN)+|(?:NP)+", shape):
        raise Unsettled("which protocol belongs to which port?")
    first = shape[0] == "P"
    return tuple(
        _group(runs[at + first][1], tuple(dict.fromkeys(runs[at + (not first)][1]))) for at in range(0, len(runs), 2)
    )


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """("N", ports) and ("P", protocol) in their order."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise Unsettled(f'the ports "{text.strip()}" cannot be read')
        position = found.end()
        word = (found["word"] or "").lower()
        if found["ports"]:
            yield "N", "-".join(re.findall("[0-9]+", found["ports"]))
        elif word in _CARRIED:
            yield "P", word
        elif word and word not in {"and", "port", "ports"}:
            raise Unsettled(f'"{found["word"]}" among the ports is not clear')


def _group(parts: list[str], said: tuple[str, ...]) -> Group:
    unique = tuple(dict.fromkeys(parts))
    if len(unique) > MAX_PARTS:
        raise Unsettled(f"more than {MAX_PARTS} ports in one cell")
    for part in unique:
        if re.search(r"\b0[0-9]", part):
            raise Unsettled(f'"{part}" is no way to write a port')
        try:
            PortSet.parse(part)
        except PortError as error:
            raise Unsettled(str(error)) from None
    return Group(unique, said)


def protocols(cell: str, questions: list[str]) -> tuple[str, ...]:
    """The protocols that a cell names, those that a matrix knows; raises Unsettled for those that have no ports."""
    named = [word for word in re.findall("[a-z][a-z0-9]*", cell.lower()) if word not in {"and", "or", "over"}]
    said = tuple(dict.fromkeys(word for word in named if word in _CARRIED))
    strange = [word for word in named if word not in _CARRIED]
    if not said and any(spoken(word) and not has_ports(word) for word in strange):
        raise Unsettled(f'"{cell}" has no ports')
    if strange:
        said = said or ("tcp",)
        questions.append(f'the protocol "{cell}" is drafted as {" and ".join(said)}')
    return said


def _refined(at_port: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    """What is said beside the port ("443/tcp"); the row's own word where that says more ("https")."""
    finer = [word for word in said if word not in _BARE and {*at_port} & {each.value for each in _CARRIED[word]}]
    if len(at_port) == 1 and at_port[0] in _BARE and len(finer) == 1:
        return (_on(finer[0], Transport(at_port[0])),)
    return at_port or said


def _on(word: str, transport: Transport) -> str:
    """The word for a protocol on one of its transports: `dns/udp`."""
    return word if len(_CARRIED[word]) == 1 else f"{word}/{transport}"


def _head(use: str, *, combined: bool) -> tuple[tuple[str, ...], str]:
    """The protocols with which a description begins, and the rest of it.

    Where nothing divides the two ("TCP access to the cache"), the words are a part of the sentence, unless the
    column is there for both.
    """
    found = _HEAD.match(use)
    if found is None:
        return (), use
    said = tuple(dict.fromkeys(re.findall("[a-z]+", re.sub(r"\band\b", ",", found[1].lower()))))
    divided = found["end"] is not None or combined
    return said, use[found.end() :] if divided else use


def by_transport(said: Sequence[str]) -> dict[Transport, tuple[str, ...]]:
    """The protocols by what carries them; TCP where none is named, as in a matrix."""
    found: dict[Transport, tuple[str, ...]] = {}
    for word in said:
        name, _, way = word.partition("/")
        for transport in [Transport(way)] if way else _CARRIED[name]:
            found[transport] = (*found.get(transport, ()), _on(name, transport))
    return found or {Transport.TCP: ()}
