"""Scalars of a YAML inventory, with the types that Ansible gives them.

Ansible reads YAML 1.1 by PyYAML's rules: `yes` is True, `010` is 8, `22:22` is 1342, `1e3` is text. An inventory must
mean the same here, so these rules are written out; a library's idea of YAML 1.1 differs in a few of them.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

_STANDARD = "tag:yaml.org,2002:"
_SAFE_DIGITS = 1000
_WORDS: dict[str, Any] = {
    form: value
    for word, value in {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.items()
    for form in (word, word.capitalize(), word.upper())
} | dict.fromkeys(("", "~", "null", "Null", "NULL"))
_INT = re.compile(r"([-+]?)(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*(?::[0-5]?[0-9])*)\Z")
_FLOAT = re.compile(
    r"([-+]?)([0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|\.(?:inf|Inf|INF))\Z"
    r"|()(\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|\.(?:nan|NaN|NAN))\Z"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?\Z"
)


def plain(text: str) -> Any:
    """A scalar without quotes and tag. Raises ValueError for what looks like a number or a date and is none."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if found := _INT.match(text):
        return _int(found[1], found[2].replace("_", ""))
    if found := _FLOAT.match(text):
        return _float(found[1] or "", (found[2] or found[4]).replace("_", "").lower())
    if _DATE.match(text):
        return dt.date.fromisoformat(text).isoformat()
    if found := _TIME.match(text):
        return _time(found)
    return text


def tagged(tag: str, text: str) -> Any:
    """A scalar with one of YAML's own tags, or Ansible's `!unsafe`.

    Raises KeyError for another tag, ValueError for a value that does not fit.
    """
    if tag in {"!", "!unsafe", f"{_STANDARD}str"}:
        return text
    kinds = {"int": int, "float": float, "bool": bool, "null": type(None)}
    kind = kinds[tag.removeprefix(_STANDARD)] if tag.startswith(_STANDARD) else kinds[tag]
    value = plain(text)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"no {kind.__name__}")
    return value


def _int(sign: str, digits: str) -> int:
    if len(digits) > _SAFE_DIGITS:
        raise ValueError("a number without end")
    if ":" in digits:
        value = _sixty(digits)
    elif digits.startswith(("0b", "0x")):
        value = int(digits, 0)
    else:
        value = int(digits, 8 if digits.startswith("0") and digits != "0" else 10)
    return -int(value) if sign == "-" else int(value)


def _float(sign: str, text: str) -> float:
    if len(text) > _SAFE_DIGITS:
        raise ValueError("a number without end")
    value = float(text.replace(".inf", "inf").replace(".nan", "nan")) if ":" not in text else _sixty(text)
    return -value if sign == "-" else float(value)


def _sixty(text: str) -> int | float:
    """Digits in base 60: `1:30` is 90."""
    value: int | float = 0
    for part in text.split(":"):
        value = value * 60 + (float(part) if "." in part else int(part))
    return value


def _time(found: re.Match[str]) -> str:
    """In the form that Ansible prints."""
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    fraction = int((found[7] or "")[:6].ljust(6, "0"))
    zone = None
    if found[9]:
        offset = dt.timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
        zone = dt.timezone(-offset if found[9] == "-" else offset)
    elif found[8]:
        zone = dt.UTC
    return dt.datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone).isoformat()
