"""The ids of a dialogue: each is made where it is sent first, and has one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.dialogue import OWN_ADDRESS, Expect, Id, Secure, Send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probe.model.dialogue import Parts, Pattern, Step

    Complain = Callable[[int, str, str], None]


def with_sizes(steps: Iterable[Step], complain: Complain) -> list[Step]:
    """The steps, with the size of each id wherever it is named. `complain(step, message, hint)` is called for ids that
    have none, or two.
    """
    sizes = {OWN_ADDRESS: 4}
    found: list[Step] = []
    for number, step in enumerate(steps):
        reader = _Reader(sizes, number, complain)
        match step:
            case Send():
                found.append(Send(reader.sent(step.parts)))
            case Expect():
                patterns, unhealthy = reader.patterns(step.patterns), reader.patterns(step.unhealthy)
                found.append(msgspec.structs.replace(step, patterns=patterns, unhealthy=unhealthy))
            case Secure():
                asked = reader.sent(step.ask)
                answers = {name: reader.patterns(getattr(step, name)) for name in ("yes", "no", "unhealthy")}
                found.append(msgspec.structs.replace(step, ask=asked, **answers))
    return found


class _Reader:
    """Of one step. `sizes` are those of all ids so far."""

    def __init__(self, sizes: dict[str, int], number: int, complain: Complain) -> None:
        self._sizes = sizes
        self._number = number
        self._complain = complain

    def sent(self, parts: Parts) -> Parts:
        for part in parts:
            if isinstance(part, Id) and part.size:
                self._sizes.setdefault(part.name, part.size)
        return self._known(parts)

    def patterns(self, several: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return tuple(
            msgspec.structs.replace(one, start=self._known(one.start), expression=self._known(one.expression))
            for one in several
        )

    def _known(self, parts: Parts) -> Parts:
        return tuple(self._sized(part) if isinstance(part, Id) else part for part in parts)

    def _sized(self, part: Id) -> Id:
        size = self._sizes.get(part.name, 0)
        if not size:
            hint = rf"write <{part.name}:4> where it is sent first, or \< for the character"
            self._complain(self._number, f"<{part.name}> is an id that nothing before it sends", hint)
        elif part.size not in (0, size):
            message = f"<{part.name}> has {size} bytes in one place and {part.size} in another"
            self._complain(self._number, message, "write the size once, where it is sent first")
        return msgspec.structs.replace(part, size=size)
