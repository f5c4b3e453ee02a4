"""From a service's port text and the values of its variables to a set of ports.

The text is a comma list whose parts are a port, a range, an expression in braces (`probe.model.expression`), or a range
with expressions at its ends: `4150,4151`, `5000-6000`, `{controller_port}`, `{low}-{high}`, `{port + 10000}`.
A variable that stands alone may hold a whole list; at the end of a range it is one port. `random` and `unstated` stand
alone, for ports that nobody knows.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from probe.model.expression import evaluate, terms
from probe.model.ports import HIGHEST, LOWEST, PortError, PortSet
from probe.model.variables import UNKNOWN, Unknown, VariableError

if TYPE_CHECKING:
    from probe.model.variables import Values

_END = r"\d{1,9}|\{[^{}]{1,200}\}"
# The same dashes as in PortSet: documents are typeset.
_PART = re.compile(rf"\s*({_END})\s*(?:[-\u2010-\u2015\u2212]\s*({_END})\s*)?\Z")
_OUTSIDE_BRACES = re.compile(r"\s*\{([^{}]{1,60})\}\s*([-+*])\s*(\d{1,9})\s*\Z")


class UnknownPorts(PortError):
    """The ports cannot be known beforehand. `variable` is the one that would pin them, empty if there is none."""

    def __init__(self, why: Unknown, variable: str = "") -> None:
        reason = (
            "the port is chosen at random at each start"
            if why is Unknown.RANDOM
            else "the document does not say which port"
        )
        super().__init__(f"{reason}; set {variable} to check it" if variable else reason)
        self.variable = variable


class PortPart(NamedTuple):
    """`low` to `high`, each digits or an expression in braces; `high` is empty where there is no range.

    `offset` is where in the text the part starts.
    """

    low: str
    high: str
    offset: int

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(term.name for end in self.ends for term in terms(end[1:-1]) if term.name)

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that `hosts(…)` counts."""
        return tuple(term.role for end in self.ends for term in terms(end[1:-1]) if term.role)

    @property
    def ends(self) -> tuple[str, ...]:
        """Those that are expressions."""
        return tuple(end for end in (self.low, self.high) if end.startswith("{"))


@functools.lru_cache(maxsize=4096)
def port_parts(text: str) -> tuple[PortPart, ...]:
    """The parts of a port text; raises PortError for what no values can make a set of ports."""
    if text.strip() in UNKNOWN:
        return ()
    parts, offset = [], 0
    for piece in text.split(","):
        at = offset + len(piece) - len(piece.lstrip())
        offset += len(piece) + 1
        found = _PART.match(piece)
        if found is None:
            raise PortError(_no_part(piece), at)
        part = PortPart(_tidy(found[1]), _tidy(found[2] or ""), at)
        _check_literals(part)
        parts.append(part)
    return tuple(parts)


def variables_of(text: str) -> tuple[str, ...]:
    """The names of the variables in a port text, in order, each once."""
    return tuple(dict.fromkeys(name for part in port_parts(text) for name in part.variables))


def roles_of(text: str) -> tuple[str, ...]:
    """The roles whose hosts a port text counts."""
    return tuple(dict.fromkeys(role for part in port_parts(text) for role in part.roles))


def expand(text: str, values: Values) -> PortSet:
    """The ports on a host whose variables have these values; none where a range has no members, as in
    `{base}-{base + n - 1}` with n = 0.

    Raises UnknownPorts, or VariableError, which names the variable and its value, or PortError if the text itself is no
    set of ports.
    """
    if text.strip() in UNKNOWN:
        raise UnknownPorts(Unknown(text.strip()))
    ranges: list[tuple[int, int]] = []
    for part in port_parts(text):
        if not part.high:
            ranges += _several(part, values) if part.ends else _literal(part).ranges
            continue
        low, high = _one(part, part.low, values), _one(part, part.high, values)
        if high == low - 1 and part.high.startswith("{") and len(terms(part.high[1:-1])) > 1:
            continue
        if low > high:
            raise _wrong(part, f"the range {part.low}-{part.high} runs backwards: it comes to {low}-{high}", values)
        ranges.append((_existing(part, low, values), _existing(part, high, values)))
    return PortSet(ranges)


def count_of(text: str, values: Values) -> int:
    """The number that a text of digits or an expression in braces comes to. Raises VariableError or PortError."""
    text = text.strip()
    value = evaluate(text[1:-1], values) if text.startswith("{") else int(text)
    if isinstance(value, int) and value >= 0:
        return value
    names = [term.name for term in terms(text[1:-1]) if term.name]
    raise VariableError(f"{text} comes to {value}, which is no count", variable=(names or [""])[-1], value=value)


def _no_part(piece: str) -> str:
    piece = piece.strip()
    if piece in UNKNOWN:
        return f"{piece!r} stands alone, or not at all"
    if found := _OUTSIDE_BRACES.match(piece):
        return f"{piece!r} is neither a port nor a range: write {{{found[1].strip()} {found[2]} {found[3]}}}"
    return f"{piece!r} is neither a port nor a range of ports"


def _tidy(end: str) -> str:
    return "{" + " ".join(end[1:-1].split()) + "}" if end.startswith("{") else end


def _literal(part: PortPart) -> PortSet:
    return PortSet.parse(f"{part.low}-{part.high}" if part.high else part.low)


def _check_literals(part: PortPart) -> None:
    try:
        if not part.ends:
            _literal(part)
        for end in (part.low, part.high):
            if end.startswith("{"):
                terms(end[1:-1])
            elif end:
                PortSet.parse(end)
    except PortError as error:
        raise PortError(str(error), part.offset) from None


def _several(part: PortPart, values: Values) -> tuple[tuple[int, int], ...]:
    value = evaluate(part.low[1:-1], values)
    if isinstance(value, Unknown):
        raise _unknown(part, value, values)
    if isinstance(value, PortSet):
        return value.ranges
    port = _existing(part, value, values)
    return ((port, port),)


def _one(part: PortPart, end: str, values: Values) -> int:
    if not end.startswith("{"):
        return int(end)
    value = evaluate(end[1:-1], values)
    if isinstance(value, Unknown):
        raise _unknown(part, value, values)
    if isinstance(value, PortSet):
        if len(value) != 1:
            raise _wrong(part, f"variable {end[1:-1]!r} must be one port here, not {value}", values)
        return value.ranges[0][0]
    return value


def _unknown(part: PortPart, why: Unknown, values: Values) -> UnknownPorts:
    """Names the variable that would have to be set."""
    return UnknownPorts(why, next(name for name in part.variables if values[name] is why))


def _existing(part: PortPart, port: int, values: Values) -> int:
    if not LOWEST <= port <= HIGHEST:
        shown = f"{part.low}-{part.high}" if part.high else part.low
        raise _wrong(part, f"{shown} comes to {port}: ports go from {LOWEST} to {HIGHEST}", values)
    return port


def _wrong(part: PortPart, message: str, values: Values) -> VariableError:
    """Blames the last variable of the part."""
    name = (part.variables or ("",))[-1]
    return VariableError(message, variable=name, value=values[name] if name else None)
