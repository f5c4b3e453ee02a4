"""UDP stand-ins, on asyncio_dgram: one socket and one task a port."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import asyncio_dgram
from asyncio_dgram.aio import DatagramServer

from probe.model.words import Transport

if TYPE_CHECKING:
    from probe.standin.answers import Answers


class Datagrams:
    """The UDP stand-ins of one order."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: list[DatagramServer] = []

    async def listen(self, address: str, port: int) -> None:
        """Open one port; raises OSError as bind does."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
        except OSError:
            sock.close()
            raise
        stream = await asyncio_dgram.from_socket(sock)
        assert isinstance(stream, DatagramServer)  # noqa: S101  (it has no peer)
        self._streams.append(stream)
        task = asyncio.create_task(self._serve(stream, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: DatagramServer, port: int) -> None:
        local = stream.sockname[0]
        while True:
            try:
                data, peer = await stream.recv()
            except asyncio_dgram.TransportClosed:
                return
            except OSError:
                continue  # an ICMP error about an earlier answer: the next peer deserves its own
            host, number = cast("tuple[str, int]", peer)[:2]
            answer = self._answers.answer(data, port, (host, number), local, Transport.UDP)
            if answer is None:
                self._answers.stranger(port, host, local, Transport.UDP)
                continue
            try:
                await stream.send(answer, peer)
            except (OSError, asyncio_dgram.TransportClosed):
                continue

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        self._streams.clear()
        for task in self._tasks:
            task.cancel()
