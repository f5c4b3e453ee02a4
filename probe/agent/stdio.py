"""The agent behind a command prefix: frames on stdin and stdout, log on stderr. It ends with its coordinator."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import stat
import sys

from probe.agent.session import Session, take_name
from probe.errors import UserError
from probe.wire.frames import WireError

_CHUNK = 256 * 1024


class _Pipes:
    """stdin and stdout as a Stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes:
        return await self._reader.read(_CHUNK)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _require_stream(number: int) -> None:
    kind = os.fstat(number).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        raise UserError(
            "portcheck agent --stdio: stdin must be a pipe: a coordinator starts this command and speaks to it\n"
            "  hint: portcheck run starts agents by itself; portcheck agent --listen is the daemon"
        )


async def serve() -> int:
    """Serve one coordinator; returns the exit code: 0, or 1 after nonsense on stdin. Raises UserError."""
    _require_stream(sys.stdin.fileno())
    take_name()
    # What is loaded by now stays; looking it through again and again while tens of thousands of attempts come and go is
    # work for nothing.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    loop = asyncio.get_running_loop()
    # Whatever else is printed in this process must not end up between two frames.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    reader = asyncio.StreamReader(limit=_CHUNK)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, output)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    visit = asyncio.create_task(Session(_Pipes(reader, writer), "stdio").run())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, visit.cancel)
    try:
        await visit
    except WireError as error:
        print(f"portcheck agent: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (asyncio.CancelledError, ConnectionError):
        pass  # a signal, or a coordinator that has gone: both are ends in order
    return 0
