"""A message as JSON, signed: who has the secret can tell that it comes from us, and when it was sent."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from probe.encoding import encode

if TYPE_CHECKING:
    from probe.audit.alerts.message import Message
    from probe.model.secret import Secret

SIGNATURE = "Portcheck-Signature"


def body(message: Message) -> bytes:
    return encode(message)


def headers(key: str, content: bytes, secret: Secret, now: float) -> dict[str, str]:
    """Of one attempt at `now` (seconds since 1970). Without a secret it is not signed."""
    made = {"Content-Type": "application/json", "Idempotency-Key": key}
    if secret:
        made[SIGNATURE] = sign(content, secret.value, int(now))
    return made


def sign(content: bytes, secret: bytes, when: int) -> str:
    """`t=…,v1=…`: HMAC-SHA256 over the time, a full stop and the body, in hex."""
    signed = hmac.new(secret, b"%d." % when + content, hashlib.sha256).hexdigest()
    return f"t={when},v1={signed}"
