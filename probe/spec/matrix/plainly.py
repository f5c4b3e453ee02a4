"""A dialogue in the words of the matrix language: for JSON, for comparing, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from probe.model.dialogue import MOST, OWN_ADDRESS, Expect, Id, Known, Send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.dialogue import Dialogue, Part, Parts, Pattern, Step

_ESCAPED = {"\r": r"\r", "\n": r"\n", "\t": r"\t", "\\": r"\\", "<": r"\<"}


def plainly(dialogue: Dialogue) -> list[dict[str, Any]]:
    """Its steps as plain values, which read as the same dialogue."""
    steps = [_step(step) for step in dialogue.steps]
    if dialogue.source_port:
        next(step for step in steps if "send" in step)["from-port"] = dialogue.source_port
    if dialogue.any_port:
        next(step for step in steps if "expect" in step)["any-port"] = True
    return steps


def in_one_line(dialogue: Dialogue) -> str:
    return json.dumps(plainly(dialogue), ensure_ascii=False)


def _step(step: Step) -> dict[str, Any]:
    if isinstance(step, Send):
        return {"send": _said(step.parts)}
    within = {"within": step.within} if step.within else {}
    if isinstance(step, Expect):
        found = {"expect": _patterns(step.patterns)}
        found |= {"unhealthy": _patterns(step.unhealthy)} if step.unhealthy else {}
        return found | ({"most": step.most} if step.most != MOST else {}) | within
    if not step.ask:
        return {"tls": True} | within
    start = {"send": _said(step.ask), "expect": _patterns(step.yes)}
    start |= {"declined": _patterns(step.no)} if step.no else {}
    start |= {"unhealthy": _patterns(step.unhealthy)} if step.unhealthy else {}
    return {"starttls": start | within}


def _patterns(several: Iterable[Pattern]) -> Any:
    found = [_pattern(one) for one in several]
    return found[0] if len(found) == 1 else found


def _pattern(one: Pattern) -> str | dict[str, Any]:
    start = _said(one.start) if one.start else {}
    if isinstance(start, str) and not (one.expression or one.least or one.whole):
        return start
    found: dict[str, Any] = {"text": start} if isinstance(start, str) else {**start}
    found |= {"regex": _expression(one.expression)} if one.expression else {}
    found |= {"length": one.least} if one.least else {}
    return found | ({"whole": True} if one.whole else {})


def _said(parts: Parts) -> str | dict[str, Any]:
    """As text where it is one, else as digits."""
    is_text = all(part.digits if isinstance(part, Id) else _readable(part) for part in parts)
    if is_text or any(isinstance(part, Id) and part.digits for part in parts):
        return "".join(map(_text, parts))
    return {"hex": " ".join(map(_digits, parts))}


def _readable(part: Known) -> bool:
    return not part.mask and all(32 <= byte < 127 or chr(byte) in _ESCAPED for byte in part.value)


def _text(part: Part) -> str:
    if isinstance(part, Id):
        return f"<{part.name}:{part.size}>"
    readable = (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in part.value)
    return "".join(_ESCAPED.get(chr(byte), text) for byte, text in zip(part.value, readable, strict=True))


def _digits(part: Part) -> str:
    if isinstance(part, Id):
        return f"<{part.name}>" if part.name == OWN_ADDRESS else f"<{part.name}:{part.size}>"
    mask = part.mask or b"\xff" * len(part.value)
    return "".join(
        "".join(digit if bit == "f" else "?" for digit, bit in zip(f"{value:02x}", f"{bits:02x}", strict=True))
        for value, bits in zip(part.value, mask, strict=True)
    )


def _expression(parts: Parts) -> str:
    return "".join(f"<{part.name}:{part.size}>" if isinstance(part, Id) else part.value.decode() for part in parts)
