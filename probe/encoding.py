"""Values as JSON, whatever text is in them."""

from __future__ import annotations

from typing import Any

import msgspec


def encode(value: object) -> bytes:
    """As JSON in one line; for text that JSON cannot hold, with that text escaped."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A file name that is no UTF-8 comes from the system with lone surrogates in it, which JSON cannot hold.
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
