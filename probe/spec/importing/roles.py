"""The roles of a draft: one for each thing that the document means, whatever it calls it from table to table."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.model.ports import PortSet
from probe.spec.importing.reading import Unsettled
from probe.spec.importing.tables import TOO_MUCH, words
from probe.spec.matrix.kinds import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.spec.importing.reading import Group, Name

MAX_NAMES = 800
_RESERVED = frozenset({EVERY_HOST, OUTSIDE, "inside", "all"})
_EVERY = re.compile(r"(?:\*|(?:all|any|every|each)\b)\s*(.*)", re.IGNORECASE)
_HOSTS = words(
    "host node machine server vm instance computer system mode run role member agent component cluster other of the "
    "in this"
)
_ABROAD = words("outside external internet public world")
_BESIDE_ABROAD = _ABROAD | words("the of network client user host access address")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]+(?:/[0-9]+)?\Z")


@dataclass
class Role:
    """Grows while the tables are read. `notes` are questions, each with the lines that raise it.

    `ports` and `said` are what tables of ports say of it: they help to recognise it under another name.
    """

    name: str
    every_host: bool = False
    listed: bool = False
    aliases: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    notes: dict[str, list[int]] = field(default_factory=dict)
    ports: PortSet = field(default_factory=PortSet)
    said: str = ""

    def note(self, question: str, *lines: int) -> None:
        known = self.notes.setdefault(question, [])
        known += [line for line in lines if line not in known]

    def learn(self, text: str, groups: Iterable[Group]) -> None:
        """What a table of ports says of it."""
        self.said += f" {text.lower()}"
        for group in groups:
            self.ports |= group.ports


class Roles:
    """`found` has them in the order in which the document brings them up; `file` is what messages call that."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Role] = []
        self._meant: dict[str, Role] = {}
        self._called: dict[str, Role] = {}
        self._names: set[str] = set(_RESERVED)

    def listed(self, name: Name) -> Role:
        """The role of a table that lists roles. What stands in brackets is for `explain`, once all are known."""
        role = self._is_meant(name.word)
        if role is None:
            role = self._everywhere() if _is_everyone(name.word) else self._new(name.word)
        role.listed = True
        return role

    def explain(self, role: Role, name: Name, line: int) -> None:
        """What stands in brackets after the role in such a table: "(all modes)", "(app, api)"."""
        aliases = [word.strip() for word in name.aside.split(",")]
        if name.aside and not _is_everyone(name.aside) and all(self._free(alias) for alias in aliases):
            for alias in aliases:
                self._alias(role, alias)
        else:
            self._aside(role, name, line)

    def source(self, name: Name, line: int, questions: list[str]) -> str:
        """A role, `every-host` or `outside`, as the `from` of a flow has it."""
        if _is_outside(name.word):
            return OUTSIDE
        if self._is_meant(name.word) is None and _is_everyone(name.word):
            if name.word.lower() in {"any", "*"}:
                questions.append(f'"{name}" is read as all hosts inside: does it mean those outside too?')
            return EVERY_HOST
        return self.role(name, line, questions).name

    def role(self, name: Name, line: int, questions: list[str], ports: PortSet | None = None) -> Role:
        """The role that is meant; raises Unsettled where it cannot be one. `ports`: those that it must have."""
        if _is_outside(name.word):
            raise Unsettled(f'"{name}" is not of the installation: a matrix has no services there')
        role = self._is_meant(name.word)
        if role is None and _is_everyone(name.word):
            role = self._everywhere()
        if role is None:
            role = self._unknown(_all_of(name.word) or name.word, line, ports)
            if _ADDRESS.match(name.word):
                questions.append(f'"{name.word}" is an address, and is drafted as a role: which hosts are meant?')
        self._aside(role, name, line)
        return role

    def called(self, name: str) -> Role:
        """The role of this name in the draft."""
        return self._called[name]

    def known(self, word: str) -> Role | None:
        """The role that a heading speaks of, if it is one of those listed."""
        return self._is_meant(word) or self._guess(word, None)

    def _new(self, word: str) -> Role:
        role = Role(unique(slug(word) or "role", self._names, reserved="-role"))
        if role.name != slug(word):
            role.note(f'"{word}" is drafted as {role.name}: choose a name, that of the group in your inventory')
        self._names.add(role.name)
        self._called[role.name] = role
        self.found.append(role)
        self._mean(role, word)
        return role

    def _mean(self, role: Role, word: str) -> None:
        if len(self._meant) == MAX_NAMES:
            raise UserError(f"{self.file}: more than {MAX_NAMES} names of roles\n  hint: {TOO_MUCH}")
        self._meant[key_of(word)] = role
        role.keys.add(key_of(word))

    def _free(self, alias: str) -> bool:
        """Whether a word can become an alias."""
        return bool(re.fullmatch(NAME, alias)) and alias not in self._names and key_of(alias) not in self._meant

    def _alias(self, role: Role, alias: str) -> None:
        if self._free(alias):
            role.aliases.append(alias)
            self._names.add(alias)
            self._mean(role, alias)

    def _aside(self, role: Role, name: Name, line: int) -> None:
        aside = name.aside
        if not aside or self._meant.get(key_of(aside)) is role:
            return
        if _is_everyone(aside):
            role.every_host = True
        elif self._free(aside):
            role.note(f'"{name}": is {aside} another name of {role.name}? Then aliases: [{aside}]', line)
        else:
            role.note(f'"{name}" is read as {role.name}: does "({aside})" change which hosts are meant?', line)

    def _is_meant(self, word: str) -> Role | None:
        """The role that is called so. "All agents" are the hosts of agent, if there is such a role."""
        return self._meant.get(key_of(word)) or self._meant.get(key_of(_all_of(word)))

    def _everywhere(self) -> Role:
        """The role that all hosts have."""
        found = [role for role in self.found if role.every_host]
        if len(found) == 1:
            return found[0]
        role = self._meant.get("each-host") or self._new("each-host")
        role.every_host = True
        return role

    def _unknown(self, word: str, line: int, ports: PortSet | None) -> Role:
        others = any(role.listed for role in self.found)
        role = self._guess(word, ports)
        if role is not None:
            self._mean(role, word)
            role.note(f'"{word}" is in no table of roles, and is read as {role.name}', line)
            return role
        role = self._new(word)
        if others:
            role.note(f'"{word}" is in no table of roles: is it one of its own?', line)
        return role

    def _guess(self, word: str, ports: PortSet | None) -> Role | None:
        """The one listed role that is called nearly so; best one that has the ports."""
        listed = [role for role in self.found if role.listed]
        near = [role for role in listed if _near(word, role)]
        if ports:
            holders = [role for role in listed if not ports - role.ports]
            called = [role for role in holders if role in near or word.lower() in role.said]
            near = called if len(called) == 1 else near
        return near[0] if len(near) == 1 else None


def _near(word: str, role: Role) -> bool:
    """ "Storage Server" and storage, "Elastic Search" and es, "Automate Studio" and automatestudio, "Promethus"."""
    parts = key_of(word[:80]).split("-")
    joined, initials = "".join(parts), "".join(part[:1] for part in parts)
    return any(
        key in {parts[0], parts[-1], joined}
        or joined in {key.split("-")[0], key.split("-")[-1]}
        or (len(initials) > 1 and key == key_of(initials))
        or _alike(joined, key)
        for key in role.keys
    )


def _alike(one: str, two: str) -> bool:
    matcher = difflib.SequenceMatcher(None, one, two)
    return min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= 0.85 and matcher.ratio() >= 0.85


def _is_outside(word: str) -> bool:
    parts = re.findall("[a-z]+", word.lower())
    if word in {"0.0.0.0/0", "::/0"} or parts[:2] == ["outside", "of"]:
        return True
    singular = {part.removesuffix("s") for part in parts}
    return bool(_ABROAD & singular) and singular <= _BESIDE_ABROAD


def _is_everyone(word: str) -> bool:
    """Whether hosts in general are meant: "all", "any host", "all run modes"."""
    every = _EVERY.fullmatch(word)
    return every is not None and {each.removesuffix("s") for each in re.findall("[a-z]+", every[1].lower())} <= _HOSTS


def _all_of(word: str) -> str:
    """`agents` of "all agents"; empty for what begins otherwise."""
    every = _EVERY.fullmatch(word)
    return every[1] if every else ""


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def slug(text: str) -> str:
    """The text as the name of a role, a service or a matrix; empty if nothing is left of it."""
    return re.sub(r"[^a-z0-9_.]+", "-", _ascii(text).lower()).strip("-._")[:40].strip("-._")


def key_of(text: str) -> str:
    """What two spellings of one name have in common: case, signs, and the last word's plural do not count."""
    key = "-".join(re.findall("[a-z0-9]+", _ascii(text).lower())) or text.casefold()
    return key[:-1] if key.endswith("s") and not key.endswith("ss") and len(key) > 3 else key


def unique(name: str, taken: set[str], reserved: str = "") -> str:
    """The name, or with a number behind it the first that is not taken."""
    if name in _RESERVED and reserved:
        name += reserved
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
