"""Values of an INI inventory: each is read as a Python literal, and is text where it is none."""

from __future__ import annotations

import ast
import warnings
from typing import Any

# Far above any value; beyond it the parser of literals could run out of stack.
MAX_LENGTH = 64 * 1024
_MAX_BITS = 4096
_KEYS = (str, int, float, bool, type(None))


class LiteralError(ValueError):
    """A text that starts like a literal and can be kept neither as one nor as text."""


def parse(text: str) -> Any:
    """What Ansible makes of the text: a number, True, None, a list, a mapping, or the text. Raises LiteralError."""
    if len(text) > MAX_LENGTH:
        raise LiteralError(f"a value of more than {MAX_LENGTH // 1024} KiB")
    try:
        with warnings.catch_warnings():
            # "\d" in a quoted value is a matter of its author's.
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError) as error:
        raise LiteralError("this value looks like a Python literal and is none; put it in quotes") from error
    return _plain(value)


def _plain(value: Any) -> Any:
    """The same with what JSON has no word for turned into what it has, as Ansible does."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        # A set has no order of its own; this one is the same on every run.
        return [_plain(item) for item in sorted(value, key=lambda item: (type(item).__name__, repr(item)))]
    if isinstance(value, dict):
        if not all(isinstance(key, _KEYS) for key in value):
            raise LiteralError("a mapping whose key is neither text nor a number")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise LiteralError("bytes that are not UTF-8") from error
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise LiteralError("a number without end; put it in quotes")
    if isinstance(value, complex):
        return str(value)
    return "..." if value is ... else value
