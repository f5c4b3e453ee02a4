"""A file of waivers to `probe.model.waiver`: read as a matrix is, every problem at once with its place."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.model.waiver import ASKED, Waiver
from probe.model.words import Cause, Transport, Verdict
from probe.spec.diagnostics import Diagnostic, Severity, SpecError
from probe.spec.matrix import files
from probe.spec.matrix.kinds import OneOrMany, Text, Whole, Word, describe
from probe.spec.matrix.problems import WHOLE_FILE, Problems, quoted
from probe.spec.matrix.rows import Key, Row, Rows
from probe.spec.matrix.terms import Ports
from probe.spec.matrix.tree import Mapping, Scalar, Sequence, parse

if TYPE_CHECKING:
    from probe.spec.matrix.problems import Place
    from probe.spec.matrix.tree import Node

VERSION = 1
_VERSION_KEY = "portcheck-waivers"
_BEGINS = f"a file of waivers begins with {_VERSION_KEY}: {VERSION}"
_UNMEASURED = frozenset({Cause.NO_AGENT, Cause.AGENT_LOST, Cause.RESOURCES, Cause.CONFLICTING_EVIDENCE, Cause.TIMEOUT})
_NEVER = "never"
_ID = r"[0-9a-f]{16}"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True)
class Id:
    """The id of a check, as reports have it; one of digits alone is no number."""

    def read(self, node: Node, problems: Problems) -> str | None:
        if isinstance(node, Scalar) and re.fullmatch(_ID, node.text):
            return node.text
        problems.add(node.place, f"expected the id of a check, found {describe(node)}", "16 digits and letters a-f")
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_ID}$"}


@dataclass(frozen=True)
class Day:
    """The last day, as ISO 8601 has it, or `never`, which reads as an empty text."""

    def read(self, node: Node, problems: Problems) -> str | None:
        hint = "write the last day on which it holds, such as 2026-12-31, or never"
        if not isinstance(node, Scalar) or node.empty:
            problems.add(node.place, f"expected a day, found {describe(node)}", hint)
            return None
        if node.text == _NEVER:
            return ""
        try:
            if re.fullmatch(_DAY, node.text):
                return dt.date.fromisoformat(node.text).isoformat()
        except ValueError:
            hint = "the calendar does not have it"
        problems.add(node.place, f"{quoted(node.text)} is no day", hint)
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{_DAY}|{_NEVER})$"}


_GLOBS = "a name or a glob, or a list of them"
_PARTY = OneOrMany(Text("the name of a host or a role"))
WAIVER = Row(
    "a waiver",
    {
        "id": Key(OneOrMany(Id()), "the id of the check, as the JSON report has it; one, or a list"),
        "rule": Key(OneOrMany(Text("the name of a rule")), f"the rule of the matrix, such as flows[3]: {_GLOBS}"),
        "matrix": Key(OneOrMany(Text("the name of a matrix")), f"whose rule or service it is: {_GLOBS}"),
        "sources": Key(_PARTY, f"hosts or roles that ask: {_GLOBS}"),
        "targets": Key(_PARTY, f"hosts or roles that are asked: {_GLOBS}"),
        "service": Key(OneOrMany(Text("the name of a service")), f"the service of the matrix: {_GLOBS}"),
        "transport": Key(Word.of("transport", Transport), "tcp or udp"),
        "ports": Key(Ports(variables=False), "of a check only these: 22, 5000-6000, [4150, 4151]"),
        "verdicts": Key(
            OneOrMany(
                Word(
                    "verdict",
                    tuple(verdict.value for verdict in Verdict if verdict is not Verdict.PASS),
                    Verdict,
                    hint="what passes needs no waiver",
                )
            ),
            "what may have become of it; where it is not said all but inconclusive",
        ),
        "causes": Key(OneOrMany(Word.of("cause", Cause)), "why it may have become of it; where it is not said any"),
        "reason": Key(Text("the reason"), "why it is accepted", required=True),
        "owner": Key(Text("the owner"), "who accepts it, and is asked when its day comes", required=True),
        "until": Key(Day(), "the last day on which it holds, such as 2026-12-31, or never", required=True),
    },
    gotchas={
        "from": "write sources",
        "to": "write targets",
        "hosts": "write sources, or targets",
        "roles": "write sources, or targets: both take names of roles",
        "expires": "write until",
        "ticket": "write it in the reason",
    },
    either=("id", "rule", "service", "sources", "targets"),
)
FILE = Row(
    "a file of waivers",
    {
        _VERSION_KEY: Key(Whole("the version", VERSION, VERSION), "the version of this format", required=True),
        "waivers": Key(Rows("waivers", WAIVER, least=0), "what is accepted, by whom and for how long", required=True),
    },
    gotchas={"portcheck": _BEGINS},
)


class Read(NamedTuple):
    """`warnings` are worth a look, and nothing is wrong."""

    waivers: tuple[Waiver, ...]
    warnings: tuple[Diagnostic, ...]


def load(path: str) -> Read:
    """The waivers of a file, `-` being stdin. Raises SpecError with every problem, or UserError where the file cannot
    be read.
    """
    return load_text(files.text_of(path, "file of waivers"), files.label(path))


def load_text(text: str, file: str = "waivers") -> Read:
    """The waivers in a text; `file` is what messages call it."""
    problems = Problems(file, text)
    root = parse(text, problems, "file of waivers")
    waivers: tuple[Waiver, ...] = ()
    if root is None and not problems.found:
        problems.add(WHOLE_FILE, "the file is empty", _BEGINS)
    elif isinstance(root, Mapping) and not root.pairs.keys() & FILE.keys.keys():
        problems.add(root.place, f"this is no file of waivers: '{_VERSION_KEY}: {VERSION}' is missing", _BEGINS)
    elif root is not None:
        rows = FILE.read(root, problems).get("waivers") or []
        listed = root.get("waivers") if isinstance(root, Mapping) else None
        places = [item.place for item in listed.items] if isinstance(listed, Sequence) else []
        if not problems.found:
            waivers = tuple(_waiver(row, file, place) for row, place in zip(rows, places, strict=True))
            _doubts(waivers, places, problems)
    if any(one.severity is Severity.ERROR for one in problems.found):
        raise SpecError(one for one in problems.found if one.severity is Severity.ERROR)
    return Read(waivers, tuple(sorted(problems.found)))


def schema() -> dict[str, Any]:
    """The format as JSON Schema, draft 2020-12, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"portcheck waivers, version {VERSION}",
        **FILE.schema(),
    }


def _waiver(row: dict[str, Any], file: str, place: Place) -> Waiver:
    return Waiver(place=f"{file}:{place.line}", **row)


def _doubts(waivers: tuple[Waiver, ...], places: list[Place], problems: Problems) -> None:
    """What each waiver says by itself, and makes no sense; and what makes sense, and is worth a look."""
    seen: dict[tuple[object, ...], Waiver] = {}
    for waiver, place in zip(waivers, places, strict=True):
        unmeasured = [cause for cause in waiver.causes if cause in _UNMEASURED]
        if unmeasured and Verdict.INCONCLUSIVE not in waiver.verdicts:
            message = f"{unmeasured[0]} is a cause of what is inconclusive, which is waived only where it is named"
            problems.add(place, message, "add verdicts: [inconclusive], or remove the cause")
        if not waiver.until:
            message = "this waiver never ends: nobody will be asked to look at it again"
            problems.add(place, message, "name a day: until: 2026-12-31", Severity.WARNING)
        alike = seen.setdefault(tuple(getattr(waiver, key) for key in ASKED), waiver)
        if alike is not waiver:
            message = f"this waiver is about the same as that of {alike.place}"
            problems.add(place, message, "of two that hold the first counts: keep one", Severity.WARNING)
