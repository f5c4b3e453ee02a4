"""From a service's port text and the values of its variables to a set of ports.

The text is a comma list whose parts are a port, a range, a variable in braces, or a range with variables at its ends:
`4150,4151`, `5000-6000`, `{controller_port}`, `{low}-{high}`. A variable that stands alone may hold a whole list; at
the end of a range it is one port.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortError, PortSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.model.matrix import Service

_END = r"\d{1,9}|\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}"
# The same dashes as in PortSet: documents are typeset.
_PART = re.compile(rf"\s*({_END})\s*(?:[-\u2010-\u2015\u2212]\s*({_END})\s*)?\Z")


class VariableError(PortError):
    """A port text cannot be worked out because of one of its variables. `value` is what it had, None if it had none."""

    def __init__(self, message: str, *, variable: str, value: object = None) -> None:
        super().__init__(message)
        self.variable = variable
        self.value = value


class PortPart(NamedTuple):
    """`low` to `high`, each digits or `{name}`; `high` is empty where there is no range.

    `offset` is where in the text the part starts.
    """

    low: str
    high: str
    offset: int

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(end[1:-1] for end in (self.low, self.high) if end.startswith("{"))


@functools.lru_cache(maxsize=4096)
def port_parts(text: str) -> tuple[PortPart, ...]:
    """The parts of a port text; raises PortError for what no values can make a set of ports."""
    parts, offset = [], 0
    for piece in text.split(","):
        at = offset + len(piece) - len(piece.lstrip())
        offset += len(piece) + 1
        found = _PART.match(piece)
        if found is None:
            raise PortError(f"{piece.strip()!r} is neither a port nor a range of ports", at)
        part = PortPart(_tidy(found[1]), _tidy(found[2] or ""), at)
        _check_literals(part)
        parts.append(part)
    return tuple(parts)


def variables_of(text: str) -> tuple[str, ...]:
    """The names of the variables in a port text, in order, each once."""
    return tuple(dict.fromkeys(name for part in port_parts(text) for name in part.variables))


def ports_of(service: Service, values: Mapping[str, object]) -> PortSet:
    """The ports of a service on one host, where `values` are the variables as that host has them.

    Raises VariableError, which names the variable and its value, or PortError if the text itself is no set of ports.
    """
    return expand(service.port, values)


def expand(text: str, values: Mapping[str, object]) -> PortSet:
    """`ports_of` for a bare port text."""
    ranges: list[tuple[int, int]] = []
    for part in port_parts(text):
        if not part.high:
            ranges += (_many(part.low, values) if part.variables else _literal(part)).ranges
            continue
        low, high = _one(part.low, values), _one(part.high, values)
        if low > high:
            name = part.variables[-1]
            raise VariableError(
                f"the range {part.low}-{part.high} runs backwards: it comes to {low}-{high}",
                variable=name,
                value=values[name],
            )
        ranges.append((low, high))
    return PortSet(ranges)


def _tidy(end: str) -> str:
    return "{" + end[1:-1].strip() + "}" if end.startswith("{") else end


def _literal(part: PortPart) -> PortSet:
    return PortSet.parse(f"{part.low}-{part.high}" if part.high else part.low)


def _check_literals(part: PortPart) -> None:
    try:
        if not part.variables:
            _literal(part)
        for end in (part.low, part.high):
            if end and not end.startswith("{"):
                PortSet.parse(end)
    except PortError as error:
        raise PortError(str(error), part.offset) from None


def _many(end: str, values: Mapping[str, object]) -> PortSet:
    name = end[1:-1]
    value = values.get(name)
    items = value if isinstance(value, (list, tuple)) and value else [value]
    ranges: list[tuple[int, int]] = []
    for item in items:
        # A bool is an int to Python and a mistake here.
        if item is None or isinstance(item, bool) or not isinstance(item, (int, str)):
            raise _useless(name, value)
        try:
            ranges += PortSet.parse(str(item)).ranges
        except PortError as error:
            raise VariableError(f"variable {name!r}: {error}", variable=name, value=value) from None
    return PortSet(ranges)


def _one(end: str, values: Mapping[str, object]) -> int:
    if not end.startswith("{"):
        return int(end)
    ports = _many(end, values)
    if len(ports) != 1:
        name = end[1:-1]
        raise VariableError(f"variable {name!r} must be one port here, not {ports}", variable=name, value=values[name])
    return ports.ranges[0][0]


def _useless(name: str, value: object) -> VariableError:
    if value is None:
        return VariableError(f"variable {name!r} has no value", variable=name)
    return VariableError(
        f"variable {name!r} must be a port, a range or a list of them, not {repr(value)[:80]}",
        variable=name,
        value=value,
    )
