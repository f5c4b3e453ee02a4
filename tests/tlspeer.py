"""A server's side of TLS, byte by byte: for peers that look at what comes before they decide what they speak."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


async def shake(
    context: ssl.SSLContext, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A server's part of a handshake, whatever comes of it; then the client is heard out."""
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(came, goes, server_side=True)
    came.write(first)
    is_over = False
    while not is_over:
        came.write(await reader.read(4096))
        try:
            tls.do_handshake()
            is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            is_over = True
        writer.write(goes.read())
    await reader.read(-1)
