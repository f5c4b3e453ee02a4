"""`--only EXPR`: a part of the plan. Words of the form `KEY=GLOB,GLOB` (or `KEY!=…`), all of which must hold:
`source=engine-* service=redis,nsq* port=6379`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.model.globs import fits
from probe.model.ports import PortError, PortSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probe.model.check import Check

_FIELDS: dict[str, Callable[[Check], Iterable[str]]] = {
    "source": lambda check: (check.source, check.source_role),
    "target": lambda check: (check.target, check.target_role),
    "service": lambda check: (check.service,),
    "protocol": lambda check: (check.protocol.value,),
    "transport": lambda check: (check.transport.value,),
    "expect": lambda check: (check.expect.value,),
    "rule": lambda check: (check.rule, *check.also),
    "matrix": lambda check: (check.matrix,),
    "id": lambda check: (check.id,),
}

# An id is that of one port where no service has it.
_BY_PORT = ("port", "id")


class Only:
    """The test that an expression stands for. `by_port`: it may tell ports of one check apart."""

    def __init__(self, tests: Iterable[Callable[[Check], bool]], *, by_port: bool) -> None:
        self._tests = tuple(tests)
        self.by_port = by_port

    def __call__(self, check: Check) -> bool:
        return all(test(check) for test in self._tests)


def parse(text: str) -> Only:
    """Raises UserError."""
    words = text.split()
    return Only(map(_term, words), by_port=any(word.startswith(_BY_PORT) for word in words))


def _term(word: str) -> Callable[[Check], bool]:
    key, equals, value = word.partition("=")
    negated = key.endswith("!")
    key = key.removesuffix("!")
    known = ", ".join([*_FIELDS, "port"])
    if not equals or not value:
        raise UserError(f"--only: {word!r} is not of the form KEY=VALUE (keys: {known})")
    if key == "port":
        try:
            ports = PortSet.parse(value)
        except PortError as error:
            raise UserError(f"--only: {word!r}: {error}") from None
        return lambda check: bool(check.ports & ports) is not negated
    field = _FIELDS.get(key)
    if field is None:
        raise UserError(f"--only: {key!r} is no key (keys: {known})")
    globs = value.split(",")
    return lambda check: fits(field(check), globs) is not negated
