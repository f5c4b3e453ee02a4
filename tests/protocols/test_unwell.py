"""Answers in the right protocol in which a service says how it is: what counts as well, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers.ntp import NTPHeader

from probe.model.observation import Failure
from probe.model.words import Transport
from probe.protocols import told
from probe.spec.matrix.named import named

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from probe.model.observation import Observation

    Hold = Callable[..., Awaitable[Observation]]

pytestmark = pytest.mark.usefixtures("no_blocking")


def _error(code: str, message: str) -> bytes:
    """PostgreSQL's ErrorResponse."""
    fields = b"".join(field.encode() + b"\0" for field in ("SFATAL", f"C{code}", f"M{message}")) + b"\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


@pytest.mark.parametrize(
    ("name", "said", "is_well", "words"),
    [
        (
            "redis",
            b"-NOPERM this user has no permissions\r\n",
            True,
            "Redis says 'NOPERM this user has no permissions'",
        ),
        ("redis", b"-ERR unknown command 'PING'\r\n", True, "Redis says \"ERR unknown command 'PING'\""),
        ("redis", b"-ERR max number of clients reached\r\n", False, "Redis says 'ERR max number of clients reached'"),
        ("redis", b"-DENIED Redis is in protected mode\r\n", False, "Redis says 'DENIED Redis is in protected mode'"),
        ("postgresql", b"N", True, "PostgreSQL, without TLS"),
        ("postgresql", _error("0A000", "unsupported frontend protocol 1234.5679"), True, "PostgreSQL, without TLS"),
        ("postgresql", _error("53300", "too many clients"), False, "PostgreSQL says 'too many clients'"),
        ("postgresql", _error("57P03", "it is starting up"), False, "PostgreSQL says 'it is starting up'"),
    ],
)
async def test_over_tcp(name: str, said: bytes, is_well: bool, words: str, peer: Any, hold: Hold) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        # In two pieces: half an answer says nothing yet.
        writer.write(said[:-1])
        await writer.drain()
        writer.write(said[-1:])

    dialogue = named(name, Transport.TCP)
    assert dialogue is not None
    seen = await hold(await peer(serve), dialogue)
    assert seen.failure is (None if is_well else Failure.UNHEALTHY), seen
    assert told(name, Transport.TCP, seen.said) == words


def _ntp(first: int, stratum: int, code: bytes) -> Callable[[bytes], list[bytes]]:
    def answer(asked: bytes) -> list[bytes]:
        said = bytearray(bytes(NTPHeader(stratum=stratum)))
        said[0], said[12:16], said[24:32] = first, code, asked[40:48]
        return [bytes(said)]

    return answer


@pytest.mark.parametrize(
    ("first", "stratum", "code", "is_well", "words"),
    [
        (0x24, 3, bytes([10, 0, 0, 1]), True, "NTP answer, stratum 3"),
        (0x64, 1, b"GPS\0", True, "NTP answer, stratum 1"),  # a leap second to come
        (0xE4, 0, b"RATE", True, "NTP answer, kiss of death RATE"),
        (0xE4, 0, b"DENY", False, "NTP answer, kiss of death DENY"),
        (0x24, 0, b"RSTR", False, "NTP answer, kiss of death RSTR"),
        (0xE4, 0, bytes(4), False, "NTP answer, stratum 0, not synchronised"),
        (0x24, 16, bytes(4), False, "NTP answer, stratum 16, not synchronised"),
    ],
)
async def test_the_time(
    first: int, stratum: int, code: bytes, is_well: bool, words: str, post: Any, hold: Hold
) -> None:
    dialogue = named("ntp", Transport.UDP)
    assert dialogue is not None
    port, _ = await post(_ntp(first, stratum, code))
    seen = await hold(port, dialogue, Transport.UDP)
    assert seen.failure is (None if is_well else Failure.UNHEALTHY), seen
    assert told("ntp", Transport.UDP, seen.said) == words
