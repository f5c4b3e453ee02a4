"""Arithmetic in the braces of a port text: `{port}`, `{port + 10000}`, `{base + osds - 1}`, `{base + hosts(worker)}`.

Terms are variables, whole numbers and `hosts(ROLE)`, the number of hosts with a role, with `+`, `-` and `*`.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortError, PortSet
from probe.model.variables import Unknown, VariableError

if TYPE_CHECKING:
    from probe.model.variables import Values

_TERM = re.compile(
    r"\s*(?:(?P<number>\d{1,9})|hosts\(\s*(?P<role>[A-Za-z0-9_.-]{1,64})\s*\)|(?P<name>[A-Za-z_][A-Za-z0-9_]{0,63}))\s*"
)
_SIGN = re.compile(r"[-+*]")
_MOST_TERMS = 16
FORM = "write a variable, or terms with + - * such as {name + 1} or {base + hosts(role) - 1}"


class Term(NamedTuple):
    """One of the three is set; `sign` is what stands before it."""

    sign: str
    number: int | None = None
    name: str = ""
    role: str = ""


@functools.lru_cache(maxsize=1024)
def terms(text: str) -> tuple[Term, ...]:
    """The terms of what stands between the braces; raises PortError."""
    found: list[Term] = []
    at, sign = 0, "+"
    while True:
        term = _TERM.match(text, at)
        if len(found) == _MOST_TERMS:
            raise PortError(f"{{{text}}} is no expression: it has more than {_MOST_TERMS} terms")
        if term is None:
            raise PortError(f"{{{text}}} is no expression: {FORM}")
        number = int(term["number"]) if term["number"] else None
        found.append(Term(sign, number, term["name"] or "", term["role"] or ""))
        at = term.end()
        if at == len(text):
            return tuple(found)
        if not _SIGN.match(text, at):
            raise PortError(f"{{{text}}} is no expression: {FORM}")
        sign, at = text[at], at + 1


def evaluate(text: str, values: Values) -> int | PortSet | Unknown:
    """The ports of a variable that stands alone, else a number. Raises VariableError for a variable that is none."""
    found = terms(text)
    if len(found) == 1 and found[0].name:
        value = values[found[0].name]
        if isinstance(value, (PortSet, Unknown)) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise _no_number(found[0].name, value)
    total, product = 0, 1
    for number, term in enumerate(found):
        value = _number(term, values)
        if isinstance(value, Unknown):
            return value
        if term.sign == "*":
            product *= value
        else:
            total += product if number else 0
            product = -value if term.sign == "-" else value
    return total + product


def _number(term: Term, values: Values) -> int | Unknown:
    if term.number is not None:
        return term.number
    if term.role:
        return values.hosts(term.role)
    value = values[term.name]
    if isinstance(value, PortSet) and len(value) == 1:
        return value.ranges[0][0]
    if isinstance(value, Unknown) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, PortSet):
        message = f"variable {term.name!r} must be one port here, not {value}"
        raise VariableError(message, variable=term.name, value=value)
    raise _no_number(term.name, value)


def _no_number(name: str, value: object) -> VariableError:
    return VariableError(f"variable {name!r} is no port and no number: {str(value)[:60]!r}", variable=name, value=value)
