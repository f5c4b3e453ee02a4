"""MySQL and MariaDB (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html).

A client that leaves after the greeting counts against its host, which the server shuts out in the end
(max_connect_errors); one whose user there is not does not. So a login is tried that cannot succeed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

# Protocol 4.1, packets of 16 MiB, UTF-8, the user `portcheck`, no password.
_LOGIN = "2b0000 01 01820000 00000001 21 00*23 706f7274636865636b00 00"


def _tell(said: bytes, _: Transport) -> str:
    version = said[5:].partition(b"\0")[0].decode("latin-1")
    return f"MySQL greeting, version {version}" if said[4:5] == b"\n" else f"MySQL error: {said[7:].decode('latin-1')}"


MYSQL = Named(
    port=3306,
    verified="MariaDB 10.11",
    tcp=[
        {
            "expect": {"hex": "???? 00 00 0a", "length": 30},
            # Too many connections, this host may not connect or is blocked, and the like.
            "unhealthy": {"hex": "???? 00 00 ff", "length": 9},
            "within": 10,
        },
        {"send": {"hex": _LOGIN}},
        {"expect": [{"hex": "?????? 02 ff"}, {"hex": "?????? 02 fe"}, {"hex": "?????? 02 00"}]},
        {"send": {"hex": "010000 00 01"}},
    ],
    sends="after the greeting a login as `portcheck` without a password; then quit",
    healthy="a greeting of protocol 10, and an answer to the login, which is a refusal",
    proves="a MySQL or MariaDB server is there and takes connections from this source; nothing is said of real users",
    logs="MariaDB: one warning, `Access denied for user 'portcheck'@…`; MySQL: a note at log_error_verbosity=3",
    programs="mysqld mariadbd maxscale proxysql mysqlrouter",
    tell=_tell,
)
