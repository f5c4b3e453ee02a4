"""Redis (https://redis.io/docs/latest/develop/reference/protocol-spec/), and what speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport


def _tell(said: bytes, _: Transport) -> str:
    line = said.partition(b"\r\n")[0].decode("latin-1")
    if line == "+PONG":
        return "Redis says PONG"
    return "Redis wants a password" if line.startswith("-NOAUTH") else f"Redis says {line[1:]!r}"


REDIS = Named(
    port=6379,
    verified="Redis 7.0.15, with and without a password",
    tcp=[
        # In full, as clients send it: what waits for more than six bytes answers to that too.
        {"send": r"*1\r\n$4\r\nPING\r\n"},
        {
            # Some sites rename PING away: who says so in these words has read it.
            "expect": [r"+PONG\r\n", "-NOAUTH ", "-NOPERM ", "-ERR unknown command"],
            "unhealthy": ["-LOADING ", "-MASTERDOWN ", "-MISCONF ", "-BUSY ", "-DENIED ", "-ERR max number of clients"],
        },
    ],
    sends="`PING`",
    healthy="`+PONG`, that a password is wanted (`-NOAUTH`), or `PING` not for us (`-NOPERM`, unknown command)",
    proves="a Redis server is there and reads commands; `LOADING`, `MASTERDOWN`, `MISCONF`, `BUSY`, `DENIED` "
    "(protected mode) and too many clients are unhealthy. One that wants a password says nothing of its state",
    logs="nothing",
    programs="redis-server redis-sentinel valkey-server keydb-server dragonfly",
    tell=_tell,
)
