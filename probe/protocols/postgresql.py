"""PostgreSQL (https://www.postgresql.org/docs/current/protocol-flow.html): a client may ask for TLS before it says who
it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

# An error (protocol 3.0, "ErrorResponse"): `E`, its length, fields that end in a zero each, and one more zero. A server
# without TLS that does not know the question calls it an unsupported protocol; any other error is about itself.
_UNKNOWN = "unsupported frontend protocol"
_WHOLE = r"(?:[^\x00]+\x00)+\x00"


def _tell(said: bytes, _: Transport) -> str:
    if said == b"S":
        return "PostgreSQL offers TLS"
    fields = said[5:].split(b"\0") if said.startswith(b"E\0\0") else []
    error = next((field[1:].decode(errors="replace") for field in fields if field.startswith(b"M")), "")
    return f"PostgreSQL says {error!r}" if error and _UNKNOWN not in error else "PostgreSQL, without TLS"


POSTGRESQL = Named(
    port=5432,
    verified="PostgreSQL 15, with and without TLS",
    tcp=[
        # A server that has said yes and gets no handshake writes a line into its log.
        {
            "starttls": {
                "send": {"hex": "00000008 04d2162f"},
                "expect": {"text": "S", "whole": True},
                "declined": [
                    {"text": "N", "whole": True},
                    {"hex": "45 0000", "regex": rf"[\s\S]{{5}}(?=[\s\S]*{_UNKNOWN}){_WHOLE}"},
                ],
                "unhealthy": {"hex": "45 0000", "regex": rf"[\s\S]{{5}}(?![\s\S]*{_UNKNOWN}){_WHOLE}"},
            }
        },
    ],
    sends="SSLRequest; if the server agrees, a complete TLS handshake",
    healthy="`S` and TLS, or `N` (the server has none); an error, as of a pooler with too many clients, is unhealthy",
    proves="a PostgreSQL server, or a pooler in front of one, is there; nobody logs in, so nothing is said of the "
    "data. A server that is starting, is full, or does not want this source (`pg_hba.conf`) answers just the same",
    logs="nothing",
    programs="postgres postmaster pgbouncer pgpool odyssey",
    tell=_tell,
)
