"""What the kernel itself says of real sockets."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.words import Transport
from probe.witness import sockdiag
from probe.witness.sockets import SocketTable

if TYPE_CHECKING:
    from collections.abc import Iterator


def found(port: int, transport: Transport = Transport.TCP) -> sockdiag.Listening:
    (one,) = [one for one in sockdiag.listening(transport) if one.port == port]
    return one


def test_a_queue_that_is_full() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        port = server.getsockname()[1]
        assert not found(port).full
        for _ in range(3):
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(("127.0.0.1", port))
        assert found(port).full
        server.accept()[0].close()


def test_a_queue_with_room() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as server, socket.socket() as guest:
        guest.connect(server.getsockname())
        one = found(server.getsockname()[1])
        assert (one.waiting, one.room, one.full) == (1, 5, False)


@pytest.fixture(params=[Transport.TCP, Transport.UDP])
def transport(request: pytest.FixtureRequest) -> Transport:
    transport: Transport = request.param
    return transport


@contextlib.contextmanager
def everywhere(transport: Transport, *, only_ipv6: bool) -> Iterator[int]:
    kind = socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6, kind) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
        sock.bind(("::", 0))
        if transport is Transport.TCP:
            sock.listen()
        yield sock.getsockname()[1]


@pytest.mark.parametrize("only_ipv6", [True, False])
def test_a_socket_that_takes_ipv6_alone(transport: Transport, only_ipv6: bool) -> None:
    with everywhere(transport, only_ipv6=only_ipv6) as port:
        assert found(port, transport).only_ipv6 is only_ipv6
        (entry,) = SocketTable.read().listeners(transport, port)
        assert entry.covers("192.0.2.1") is not only_ipv6
        assert entry.covers("2001:db8::1")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    with contextlib.suppress(struct.error):
        sockdiag.read(message)
