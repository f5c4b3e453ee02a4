"""What may stand where a host is named: `web`, `web:2222`, `[2001:db8::1]:22`, `web[01:20].example.com`, `db-[a:f]`."""

from __future__ import annotations

import ipaddress
import itertools
import re
import string

MAX_EXPANSION = 100_000

# A port is split off only if what is left is an address or a host name; otherwise the colon belongs to the name.
_RANGE = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]"
_LABEL = rf"(?:\w|{_RANGE})(?:[\w-]|{_RANGE})*(?<![_-])"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(.+)\]:([0-9]+)\Z")
_WITH_PORT = re.compile(r"((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)\Z")
_HEX_RANGE = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE)


class PatternError(ValueError):
    """A text that names no hosts. `offset` is where in it the trouble starts."""

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


def expand(text: str) -> tuple[list[str], int | None]:
    """The names that a pattern stands for, in order, and its port (None: it has none). Raises PatternError."""
    name, port, offset = _split_port(text)
    if "[" not in name:
        return [name], port
    pieces: list[list[str]] = []
    count = 1
    while "[" in name:
        begin, end = name.index("["), name.find("]")
        if end < begin or "|" in name:
            missing = "a range that is not closed" if end < 0 else "a range that is written the wrong way"
            raise PatternError(f"{missing}", offset + begin, "write a range as [1:20], [01:20], [1:20:2] or [a:f]")
        values = _values(name[begin + 1 : end], offset + begin + 1, MAX_EXPANSION // count)
        count *= len(values)
        pieces += [[name[:begin]], values]
        offset += end + 1
        name = name[end + 1 :]
    return ["".join(parts) for parts in itertools.product(*pieces, [name])], port


def _split_port(text: str) -> tuple[str, int | None, int]:
    """The name, its port, and how many characters of the text stand before the name."""
    name, port, offset = text, None, 0
    for pattern in (_BRACKETED, _WITH_PORT):
        found = pattern.match(name)
        if found:
            name, port, offset = found[1], _port(found[2], offset + found.start(2)), offset + found.start(1)
    if _NAME.match(name) or _is_ipv6(name):
        return name, port, offset
    return text, None, 0


def _port(digits: str, offset: int) -> int:
    # Longer than any port: said before int() has to read a number of a million digits.
    if len(digits) > 9 or int(digits) > 65535:
        shown = digits if len(digits) <= 9 else digits[:9] + "…"
        raise PatternError(f"port {shown} does not exist: ports go up to 65535", offset)
    return int(digits)


def _is_ipv6(name: str) -> bool:
    name = _HEX_RANGE.sub("0", name)
    if ":" not in name or "%" in name:
        return False
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        return False
    # Ansible does not know the form that writes `::` for a single group of zeros at an end.
    return not (name.count(":") == 8 and (name.startswith("::") or name.endswith("::")))


def _values(text: str, offset: int, limit: int) -> list[str]:
    """What stands between the brackets, expanded."""
    bounds = text.split(":")
    if len(bounds) not in {2, 3}:
        raise PatternError(
            f"'[{text[:40]}]' is no range", offset, "write a range as [1:20], [01:20], [1:20:2] or [a:f]"
        )
    begin, end = bounds[0] or "0", bounds[1]
    at_end = offset + len(bounds[0]) + 1
    if not end:
        raise PatternError("a range without an end", at_end, "write a range as [1:20]")
    step = _step(bounds[2], at_end + len(end) + 1) if len(bounds) == 3 else 1
    letters = string.ascii_letters
    if len(begin) == len(end) == 1 and begin in letters and end in letters:
        low, high, pad = letters.index(begin), letters.index(end), 0
    else:
        low, high, pad = _number(begin, offset), _number(end, at_end), 0
        if begin[0] == "0" and len(begin) > 1:
            pad = len(begin)
            if len(end) != pad:
                raise PatternError(
                    f"a padded range needs ends of one length, not {begin!r} and {end!r}",
                    at_end,
                    f"write [{begin.zfill(len(end))}:{end.zfill(pad)}]",
                )
        letters = ""
    if low > high:
        raise PatternError(f"the range [{text}] runs backwards", offset, f"write [{end}:{begin}]")
    if (high - low) // step + 1 > limit:
        raise PatternError(f"a range of more than {MAX_EXPANSION:,} hosts", offset, "is it mistyped?")
    numbers = range(low, high + 1, step)
    return [letters[number] for number in numbers] if letters else [str(number).zfill(pad) for number in numbers]


def _number(text: str, offset: int) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise PatternError(
            f"{text[:40]!r} is neither a number nor a letter", offset, "write a range as [1:20], [01:20] or [a:f]"
        )
    return int(text)


def _step(text: str, offset: int) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise PatternError(f"the step {text[:40]!r} of a range must be 1 or more", offset, "write a range as [1:20:2]")
    return int(text)
