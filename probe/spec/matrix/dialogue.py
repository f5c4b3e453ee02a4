"""The kind of value that is a dialogue: a list of steps, each of which sends, expects or begins TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probe.model.dialogue import (
    LONGEST,
    LONGEST_WAIT,
    MOST,
    MOST_READ,
    MOST_SENT,
    MOST_STEPS,
    Dialogue,
    Expect,
    Parts,
    Pattern,
    Secure,
    Send,
)
from probe.spec.diagnostics import nearest
from probe.spec.matrix.ids import with_sizes
from probe.spec.matrix.kinds import Flag, OneOrMany, Whole, describe
from probe.spec.matrix.problems import quoted
from probe.spec.matrix.rows import Key, Row
from probe.spec.matrix.saying import Malformed, from_expression, from_hex, from_text, size_of
from probe.spec.matrix.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.spec.matrix.problems import Problems
    from probe.spec.matrix.tree import Node

_FORMS = "write a text, {hex: 04d2 162f}, {regex: '220 .*'} or {length: 48}"
_ACTIONS = ("send", "expect", "tls", "starttls")


def _parsed(read: Callable[[str], Parts], node: Node, problems: Problems, what: str) -> Parts | None:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        hint = "put it in quotes" if isinstance(node, Scalar) and node.value is not None else ""
        problems.add(node.place, f"expected {what}, found {describe(node)}", hint)
        return None
    if not node.text:
        problems.add(node.place, f"expected {what}, found an empty text")
        return None
    try:
        return read(node.text)
    except Malformed as error:
        problems.add(node.place, str(error), error.hint)
        return None


@dataclass(frozen=True)
class Said:
    """What is sent: a text with escapes, or `{hex: …}`. Reads as parts."""

    def read(self, node: Node, problems: Problems) -> Parts | None:
        if isinstance(node, Mapping):
            key = next(iter(node.pairs), "")
            if len(node.pairs) != 1 or key not in ("text", "hex"):
                problems.add(node.place, "what is sent is a text or hex", r"write 'PING\r\n' or {hex: 04d2 162f}")
                return None
            node = node.pairs[key][1]
            if key == "hex":
                return _parsed(lambda text: from_hex(text, wild=False), _digits(node), problems, "hexadecimal digits")
        return _parsed(from_text, node, problems, "a text")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [_TEXT, _one_key(text=_TEXT), _one_key(hex=_HEX)]}


@dataclass(frozen=True)
class Answer:
    """What is expected: a text that the answer begins with, or a mapping of what must hold. Reads as a Pattern."""

    def read(self, node: Node, problems: Problems) -> Pattern | None:
        if not isinstance(node, Mapping):
            text = _parsed(from_text, node, problems, "an answer")
            return Pattern(start=text) if text is not None else None
        if not node.pairs or ("text" in node.pairs and "hex" in node.pairs):
            problems.add(node.place, "an answer begins with a text or with hex, not with both", _FORMS)
            return None
        start: Parts | None = ()
        expression: Parts | None = ()
        least: int | None = 0
        whole = False
        for name, (key, value) in node.pairs.items():
            match name:
                case "text":
                    start = _parsed(from_text, value, problems, "a text")
                case "hex":
                    start = _parsed(
                        lambda text: from_hex(text, wild=True), _digits(value), problems, "hexadecimal digits"
                    )
                case "regex":
                    expression = _parsed(from_expression, value, problems, "a regular expression")
                case "length":
                    least = Whole("a number of bytes", 1, MOST_READ).read(value, problems)
                case "whole":
                    whole = bool(Flag().read(value, problems))
                case _:
                    problems.add(key.place, f"unknown key {quoted(name)} in an answer", nearest(name, _ANSWER))
        if start is None or expression is None or least is None:
            return None
        return Pattern(start=start, expression=expression, least=least, whole=whole)

    def schema(self) -> dict[str, Any]:
        properties = {
            "text": _TEXT | {"description": "the answer begins with this text"},
            "hex": _HEX | {"description": "the answer begins with these bytes; ?? is any"},
            "regex": _TEXT | {"description": "the answer matches this regular expression from its first byte on"},
            "length": {
                "type": "integer", "minimum": 1, "maximum": MOST_READ, "description": "it has so many bytes, or more",
            },
            "whole": {"const": True, "description": "no more comes behind text or hex"},
        }  # fmt: skip
        whole = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
        return {"anyOf": [_TEXT, whole | {"not": {"required": ["text", "hex"]}}]}


_ANSWER = ("text", "hex", "regex", "length", "whole")
_TEXT = {"type": "string", "minLength": 1}
_HEX = {"type": ["string", "integer"], "minLength": 1}


def _one_key(**schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": schemas,
        "additionalProperties": False,
        "required": list(schemas),
    }


def _digits(node: Node) -> Node:
    """Digits alone read as a number where they are not quoted; here they are text."""
    return Scalar(node.text, plain=False, place=node.place) if isinstance(node, Scalar) and node.text else node


@dataclass(frozen=True)
class Seconds:
    def read(self, node: Node, problems: Problems) -> float | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.1 <= value <= LONGEST_WAIT:
            hint = f"a number of seconds from 0.1 to {LONGEST_WAIT:.0f}"
            problems.add(node.place, f"expected seconds, found {describe(node)}", hint)
            return None
        return float(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0.1, "maximum": LONGEST_WAIT}


_WITHIN = Key(Seconds(), "how many seconds an answer may take; 5 where it is not said, over UDP the attempt's patience")
_STARTTLS = Row(
    "starttls",
    {
        "send": Key(Said(), "what asks for TLS", required=True),
        "expect": Key(OneOrMany(Answer()), "the answer, or answers, after which TLS begins", required=True),
        "declined": Key(OneOrMany(Answer()), "answers after which the dialogue goes on without TLS"),
        "unhealthy": Key(OneOrMany(Answer()), "answers in which the service says that it is not well"),
        "within": _WITHIN,
    },
    instead=r"write {send: 'STARTTLS\r\n', expect: '220 '}",
)
STEP = Row(
    "a step",
    {
        "send": Key(
            Said(), r"what is sent: a text with escapes such as \r\n, or {hex: 04d2 162f}; over UDP a datagram"
        ),
        "from-port": Key(Whole("a port", 1, 65535), "with send over UDP: the port that it must come from"),
        "expect": Key(OneOrMany(Answer()), "the answer that must come, or several of which one must"),
        "unhealthy": Key(OneOrMany(Answer()), "with expect: answers in which the service says that it is not well"),
        "most": Key(
            Whole("a number of bytes", 1, MOST_READ),
            f"with expect: how many bytes are read at most; {MOST} where it is not said",
        ),
        "any-port": Key(Flag(), "with expect over UDP: the service may answer from another port"),
        "tls": Key(Flag(), "true: TLS begins here; so does the word tls alone"),
        "starttls": Key(_STARTTLS, "ask for TLS in the protocol, and begin it"),
        "within": _WITHIN,
    },
    instead=r"write {send: 'PING\r\n'} or {expect: '+PONG'}",
    either=_ACTIONS,
)
_GO_WITH = {"from-port": ("send",), "unhealthy": ("expect",), "most": ("expect",), "any-port": ("expect",),
            "within": ("expect", "tls")}  # fmt: skip


@dataclass(frozen=True)
class Steps:
    """A list of steps. Reads as a Dialogue."""

    def read(self, node: Node, problems: Problems) -> Dialogue | None:
        if not isinstance(node, Sequence) or not 1 <= len(node.items) <= MOST_STEPS:
            found = f"a list of {len(node.items)}" if isinstance(node, Sequence) else describe(node)
            hint = r"write [{send: 'PING\r\n'}, {expect: '+PONG'}]"
            problems.add(node.place, f"expected a list of 1 to {MOST_STEPS} steps, found {found}", hint)
            return None
        before = len(problems.found)
        rows = [self._row(item, problems) for item in node.items]
        if len(problems.found) > before:
            return None
        if not any("expect" in row or "starttls" in row or "tls" in row for row in rows):
            problems.add(node.place, "a dialogue that expects nothing proves nothing", "add {expect: …}")
            return None
        steps = with_sizes(
            [_step(row) for row in rows], lambda step, *said: problems.add(node.items[step].place, *said)
        )
        if sum(step.within for step in steps if not isinstance(step, Send)) > LONGEST:
            problems.add(node.place, f"the steps may take more than {LONGEST:.0f} seconds together")
        if sum(size_of(step.parts) for step in steps if isinstance(step, Send)) > MOST_SENT:
            problems.add(node.place, f"a dialogue sends at most {MOST_SENT:,} bytes")
        if len(problems.found) > before:
            return None
        port = next((row["from-port"] for row in rows if "from-port" in row), 0)
        return Dialogue(steps=tuple(steps), source_port=port, any_port=any("any-port" in row for row in rows))

    def _row(self, node: Node, problems: Problems) -> dict[str, Any]:
        if isinstance(node, Scalar) and node.text == "tls":
            return {"tls": True}
        row = STEP.read(node, problems)
        if not isinstance(node, Mapping):
            return row
        actions = [key for key in node.pairs if key in _ACTIONS]
        if len(actions) > 1:
            message = f"a step does one thing: {' or '.join(map(repr, actions))}"
            problems.add(node.pairs[actions[1]][0].place, message, "make two steps of it")
        for key, with_ in _GO_WITH.items():
            if key in node.pairs and actions and actions[0] not in with_:
                message = f"{key!r} goes with {' or '.join(map(repr, with_))}, not with {actions[0]!r}"
                problems.add(node.pairs[key][0].place, message)
        return row

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/dialogue"}


def _step(row: dict[str, Any]) -> Send | Expect | Secure:
    if "send" in row:
        return Send(row["send"])
    within = row.get("within", 0.0)
    if "expect" in row:
        return Expect(
            patterns=row["expect"], unhealthy=row.get("unhealthy", ()), most=row.get("most", MOST), within=within
        )
    if "tls" in row:
        return Secure(within=within)
    start = row["starttls"]
    return Secure(
        ask=start["send"],
        yes=start["expect"],
        no=start.get("declined", ()),
        unhealthy=start.get("unhealthy", ()),
        within=start.get("within", 0.0),
    )


def dialogue_schema() -> dict[str, Any]:
    """What `$ref: #/$defs/dialogue` stands for."""
    steps = {"anyOf": [{"const": "tls"}, STEP.schema()]}
    return {"type": "array", "items": steps, "minItems": 1, "maxItems": MOST_STEPS}
