r"""What a dialogue sends and expects, from the texts that people write: with escapes (`\r\n`), as hexadecimal digits,
as regular expressions, each with ids in it (`<id:4>`).
"""

from __future__ import annotations

import re

import msgspec

from probe.model.dialogue import MOST_ID, MOST_SENT, OWN_ADDRESS, Id, Known, Parts

ESCAPES = r"\r \n \t \0 \\ \< or \x1b"
_ID = re.compile(r"<([a-z][a-z0-9-]{0,31})(?::([0-9]{1,3}))?>")
_SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "<": b"<"}
_TOKEN = re.compile(r"[0-9A-Fa-f?]{2}(?:\*([0-9]{1,4}))?")
_DIGITS = re.compile(r"[0-9A-Fa-f]{2}")


class Malformed(Exception):
    """What is wrong with a text, and what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def from_text(text: str) -> Parts:
    """Each id as its digits. Of an id that is named without a size the size is 0."""
    found: list[Known | Id] = []
    data = b""
    at = 0
    while at < len(text):
        if made := _ID.match(text, at):
            found += [Known(data)] if data else []
            found.append(_id(made, digits=True))
            data, at = b"", made.end()
        elif text[at] == "\\":
            value, at = _escaped(text, at)
            data += value
        else:
            data += text[at].encode()
            at += 1
    return (*found, Known(data)) if data else tuple(found)


def from_hex(text: str, *, wild: bool) -> Parts:
    """Pairs of digits, and `00*16` for several; where `wild`, also `??` for any byte, `4?` for any half of one. Each id
    as its bytes.
    """
    found: list[Known | Id] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif made := _ID.match(text, at):
            found.append(_id(made, digits=False))
            at = made.end()
        elif token := _TOKEN.match(text, at):
            found.append(_bytes(token, wild=wild))
            at = token.end()
        else:
            shown = text[at : at + 2]
            raise Malformed(f"{shown!r} is no byte", "write pairs of hexadecimal digits: 04d2 162f, 00*16, <id:4>")
    return _joined(found)


def from_expression(text: str) -> Parts:
    """A regular expression, with ids in it as their digits; what stands behind `(?` or `(?P` is a group's name."""
    found: list[Known | Id] = []
    at = 0
    for made in _ID.finditer(text):
        if text[: made.start()].endswith(("(?P", "(?", "\\")):
            continue
        found += [Known(text[at : made.start()].encode()), _id(made, digits=True)]
        at = made.end()
    found.append(Known(text[at:].encode()))
    whole = "".join("x" if isinstance(part, Id) else part.value.decode("latin-1") for part in found)
    try:
        re.compile(rf"\A(?:{whole})")
    except (re.error, OverflowError, RecursionError) as error:
        raise Malformed(
            f"no regular expression: {error}", "it is Python's, and matches from the first byte on"
        ) from None
    return tuple(part for part in found if isinstance(part, Id) or part.value)


def size_of(parts: Parts) -> int:
    return sum((2 if part.digits else 1) * part.size if isinstance(part, Id) else len(part.value) for part in parts)


def _id(found: re.Match[str], *, digits: bool) -> Id:
    name, size = found[1], int(found[2] or 0)
    if name == OWN_ADDRESS:
        if found[2] or digits:
            raise Malformed(f"<{OWN_ADDRESS}> stands in hex, and has its size", "write it without one")
        return Id(name, 4)
    if found[2] and not 1 <= size <= MOST_ID:
        raise Malformed(f"an id of {size} bytes", f"an id has 1 to {MOST_ID} bytes")
    return Id(name, size, digits)


def _escaped(text: str, at: int) -> tuple[bytes, int]:
    kind = text[at + 1 : at + 2]
    if kind in _SIMPLE:
        return _SIMPLE[kind], at + 2
    if kind == "x" and (pair := _DIGITS.match(text, at + 2)):
        return bytes.fromhex(pair[0]), at + 4
    raise Malformed(f"{text[at : at + 2]!r} is no escape", f"there is {ESCAPES}")


def _bytes(token: re.Match[str], *, wild: bool) -> Known:
    pair, times = token[0][:2], int(token[1] or 1)
    if "?" in pair and not wild:
        raise Malformed(f"{pair!r} is no byte", "what is sent is sent whole: ? is for what is expected")
    if times > MOST_SENT:
        raise Malformed(f"{times} bytes are too many", f"at most {MOST_SENT}")
    value = bytes.fromhex(pair.replace("?", "0"))
    mask = bytes.fromhex("".join("0" if digit == "?" else "f" for digit in pair))
    return Known(value * times, mask * times)


def _joined(parts: list[Known | Id]) -> Parts:
    """Neighbours as one, and no mask where every bit counts."""
    found: list[Known | Id] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Known) and isinstance(last, Known):
            found[-1] = Known(last.value + part.value, last.mask + part.mask)
        else:
            found.append(part)
    return tuple(
        msgspec.structs.replace(part, mask=b"") if isinstance(part, Known) and not part.mask.strip(b"\xff") else part
        for part in found
    )
