"""PostgreSQL (https://www.postgresql.org/docs/current/protocol-flow.html): a client may ask for TLS before it says who
it is.
"""

from __future__ import annotations

from probe.protocols.named import Named

POSTGRESQL = Named(
    port=5432,
    verified="PostgreSQL 15, with and without TLS",
    tcp=[
        # A server that has said yes and gets no handshake writes a line into its log.
        {
            "starttls": {
                "send": {"hex": "00000008 04d2162f"},
                "expect": {"text": "S", "whole": True},
                "declined": [{"text": "N", "whole": True}, {"hex": "45 0000"}],
            }
        },
    ],
    sends="SSLRequest; if the server agrees, a complete TLS handshake",
    healthy="`S` and TLS, or `N` (the server has none)",
    proves="a PostgreSQL server, or a pooler in front of one, is there; nobody logs in, so nothing is said of the data",
    logs="nothing",
    programs="postgres postmaster pgbouncer pgpool odyssey",
    tell=lambda said, _: "PostgreSQL offers TLS" if said == b"S" else "PostgreSQL, without TLS",
)
