"""What may be used and never shown: passwords, tokens, private keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST = 4


class Secret(msgspec.Struct, frozen=True):
    """Its value is for the one place that sends it. Printed, logged or formatted it is three dots."""

    value: bytes = b""

    def __repr__(self) -> str:
        return "Secret(…)" if self.value else "Secret()"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("value", "…")]

    def __bool__(self) -> bool:
        return bool(self.value)


class SecretSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the coordinator finds a secret: an environment variable, or a file. One of the two is said."""

    env: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"environment variable {self.env}" if self.env else f"file {self.file}"


def without(text: str, secrets: Iterable[bytes]) -> str:
    """A stranger's words without what we ourselves may have told him: some servers repeat the request."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = re.sub(re.escape(secret.decode(errors="replace")), "…", text, flags=re.IGNORECASE)
    return text
