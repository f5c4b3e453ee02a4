"""Real services, to be run inside a namespace: `servers.py "http 8080 status=503" "echo 5000 address=127.0.0.1" …`.

Prints `ready` when all of them listen, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks first, as SMTP or SSH do, and answers whatever is said with a complaint."""
    writer.write(b"220 mail.example ESMTP\r\n")
    while await reader.read(4096):
        writer.write(b"500 unrecognised command\r\n")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    while await reader.read(4096):
        pass


async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks to the terminal of whoever shows it, and does not stop."""
    del reader
    while True:
        writer.write(b"\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\x00\xff\r\n" * 100)
        await writer.drain()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that never comes to its end, a byte at a time."""
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and hangs up."""
    del reader, writer


def relay(to: str) -> Handler:
    """Asks another in the caller's place."""
    host, _, port = to.rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, far_writer))
                group.create_task(pump(far_reader, writer))
        finally:
            far_writer.close()

    return pass_on


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def http(status: int) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(1)
        if request.isalpha():
            await reader.readuntil(b"\r\n\r\n")
        # What is no request at all, such as the beginning of TLS, is told so, as real servers do.
        told = status if request.isalpha() else 400
        writer.write(b"HTTP/1.1 %d Told So\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n" % told)

    return answer


class UdpEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._transport.sendto(data, address)


class Names(asyncio.DatagramProtocol):
    """A name server that knows no name (RFC 1035), and keeps silent about those that say `mute`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if b"mute" not in data:
            self._transport.sendto(data[:2] + b"\x81\x83" + data[4:6] + bytes(6) + data[12:], address)


class UdpSilent(asyncio.DatagramProtocol):
    """Takes everything, says nothing."""


async def hold(port: int, options: dict[str, str]) -> None:
    """A port that an outgoing connection has taken, as any in the ephemeral range may be."""
    host, _, peer_port = options["to"].rpartition(":")
    HELD.append(await asyncio.open_connection(host, int(peer_port), local_addr=(options["address"], port)))


HELD: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


def certified() -> ssl.SSLContext:
    """A server's context under a certificate that nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "service.example")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    certificate = builder.sign(key, hashes.SHA256())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "server.pem")
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(pem)
    return context


def guarded(handler: Handler) -> Handler:
    """A caller that goes away, or talks nonsense, ends its own connection and nothing else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
            await writer.drain()
        except* (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return serve


async def listen(specification: str) -> None:
    kind, ports, *rest = specification.split()
    first, _, last = ports.partition("-")
    for port in range(int(first), int(last or first) + 1):
        await listen_on(kind, port, rest)


async def listen_on(kind: str, port: int, rest: list[str]) -> None:
    options = dict(option.split("=", 1) for option in rest)
    # Without an address: all of both families, as most services do.
    address = options.get("address")
    status = int(options.get("status", 200))
    if kind == "outgoing":
        await hold(port, options)
        return
    if kind.startswith("udp"):
        protocol = {"udp-silent": UdpSilent, "udp-names": Names}.get(kind, UdpEcho)
        await asyncio.get_running_loop().create_datagram_endpoint(protocol, local_addr=(address or "::", port))
        return
    handlers = {
        "echo": echo,
        "banner": banner,
        "silent": silent,
        "closing": closing,
        "hostile": hostile,
        "dripping": dripping,
        "http": http(status),
        "https": http(status),
        "relay": relay(options.get("to", "")),
    }
    context = certified() if kind == "https" else None
    server = await asyncio.start_server(guarded(handlers[kind]), address, port, ssl=context)
    await server.start_serving()


async def main() -> None:
    for specification in sys.argv[1:]:
        await listen(specification)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
