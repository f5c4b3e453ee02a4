"""Opening ports in place of services: what is free, what is not and why, and that all is closed in the end."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from probe.model.observation import PortUse
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.standin.lease import bindable, look

pytestmark = pytest.mark.usefixtures("no_blocking")
ME = f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def views(held: Any) -> dict[tuple[str, str], str]:
    return {(item.address, item.ports): item.view.use.value for item in held}


def answers(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody accepts there."""
    try:
        socket.create_connection((address, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True


async def test_a_free_port_is_opened_and_closed_again(opened: Any, tcp: Any, free_port: int) -> None:
    lease, held = await opened(tcp(free_port))
    assert views(held) == {("127.0.0.1", str(free_port)): "stand-in"}
    assert await asyncio.to_thread(answers, free_port)
    assert not await asyncio.to_thread(answers, free_port, "127.0.0.2")  # the address it was told, no other
    await lease.close()
    assert not await asyncio.to_thread(answers, free_port)


async def test_a_port_is_taken_by_a_listener_which_is_named(opened: Any, tcp: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, held = await opened(tcp(port))
    (item,) = held
    assert (item.view.use, item.view.by, item.view.bound) == (PortUse.LISTENER, ME, ("127.0.0.1",))


async def test_a_listener_on_all_addresses_takes_ours_too(opened: Any, tcp: Any) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        _, held = await opened(tcp(server.getsockname()[1]))
    assert (held[0].view.use, held[0].view.bound) == (PortUse.LISTENER, ("0.0.0.0",))


async def test_a_listener_on_another_address_does_not(opened: Any, tcp: Any) -> None:
    with socket.create_server(("127.0.0.9", 0)) as server:
        _, held = await opened(tcp(server.getsockname()[1]))
    assert held[0].view.use is PortUse.STAND_IN


async def test_a_listener_for_both_families_takes_both(opened: Any, tcp: Any) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        _, held = await opened(tcp(port), tcp(port, "::1"))
    assert set(views(held).values()) == {"listener"}


async def test_a_port_held_by_an_outgoing_connection(opened: Any, tcp: Any, serve_here: int, free_port: int) -> None:
    """Only for a moment, most likely: it is a local limit, not a service."""
    with socket.socket() as client:
        client.bind(("127.0.0.1", free_port))
        await asyncio.to_thread(client.connect, ("127.0.0.1", serve_here))
        _, held = await opened(tcp(free_port))
    assert (held[0].view.use, held[0].view.by) == (PortUse.OUTGOING, ME)


async def test_one_that_becomes_free_meanwhile_is_opened(
    opened: Any, tcp: Any, serve_here: int, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.bind(("127.0.0.1", free_port))
    await asyncio.to_thread(client.connect, ("127.0.0.1", serve_here))
    sleep = asyncio.sleep

    async def nap(_: float) -> None:
        client.close()
        await sleep(0.01)

    monkeypatch.setattr("probe.standin.lease.asyncio.sleep", nap)
    _, held = await opened(tcp(free_port))
    assert held[0].view.use is PortUse.STAND_IN


@pytest.fixture
def serve_here() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every port")
async def test_a_privileged_port_is_denied_with_the_reason(opened: Any, tcp: Any) -> None:
    _, held = await opened(tcp(1))
    assert held[0].view.use is PortUse.DENIED
    assert "CAP_NET_BIND_SERVICE" in held[0].view.detail


async def test_no_more_files_is_denied_with_the_reason(
    opened: Any, tcp: Any, free_ports: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probe.standin.listener import Listener

    ports = free_ports(3)
    listen = Listener.listen

    def few(self: Listener, address: str, port: int, **more: Any) -> None:
        if port == ports[1]:
            raise OSError(24, "Too many open files")
        listen(self, address, port, **more)

    monkeypatch.setattr(Listener, "listen", few)
    _, held = await opened(*map(tcp, ports))
    assert [item.view.use for item in held] == [PortUse.STAND_IN, PortUse.DENIED, PortUse.STAND_IN]
    assert "ulimit -n" in held[1].view.detail


class TestAddressesOfOneHost:
    """What others dial and what the host carries need not be the same."""

    @pytest.mark.parametrize(
        "addresses",
        [
            ("192.0.2.7", "192.0.2.8"),  # both translated
            ("127.0.0.1", "192.0.2.7"),  # its own, and a translated one
            ("192.0.2.7", "127.0.0.1"),
            ("127.0.0.1", "localhost"),
            ("localhost", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.2"),  # both its own
            ("::1", "127.0.0.1"),
            ("::1", "2001:db8::7"),
            ("127.0.0.1", "127.0.0.1"),
        ],
        ids="+".join,
    )
    async def test_none_of_them_is_taken_by_ourselves(
        self, opened: Any, tcp: Any, free_port: int, addresses: tuple[str, ...]
    ) -> None:
        _, held = await opened(*(tcp(free_port, address) for address in addresses))
        assert {item.view.use for item in held} == {PortUse.STAND_IN}
        assert {item.address for item in held} == set(addresses)
        udp = [tcp(free_port, address, transport=Transport.UDP) for address in addresses]
        _, held = await opened(*udp)
        assert {item.view.use for item in held} == {PortUse.STAND_IN}

    async def test_somebody_elses_listener_is_not_ours(self, opened: Any, tcp: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            _, held = await opened(tcp(server.getsockname()[1], "192.0.2.7"))
        assert held[0].view.use in (PortUse.LISTENER, PortUse.ELSEWHERE)
        assert held[0].view.by == ME

    @pytest.mark.parametrize(
        ("address", "bound"),
        [
            ("127.0.0.1", ["127.0.0.1"]),
            ("::1", ["::1"]),
            ("192.0.2.7", ["0.0.0.0"]),
            ("2001:db8::7", ["::"]),
            ("db.example", ["0.0.0.0", "::"]),
        ],
    )
    def test_where_to_bind(self, address: str, bound: list[str]) -> None:
        assert bindable(address) == bound


async def test_a_window_of_two_thousand_ports(opened: Any, tcp: Any) -> None:
    """Opened, answering from one end to the other, closed: no port and no file is left."""
    files = open_files()
    ports = PortSet.parse("20000-21999")
    lease, held = await opened(tcp(ports, "127.81.7.7"))
    assert views(held) == {("127.81.7.7", "20000-21999"): "stand-in"}
    for port in (20000, 20777, 21999):
        assert await asyncio.to_thread(answers, port, "127.81.7.7")
    await lease.close()
    for port in (20000, 20777, 21999):
        assert not await asyncio.to_thread(answers, port, "127.81.7.7")
    assert open_files() <= files


async def test_an_order_that_asks_for_no_ports_is_an_error(opened: Any, tcp: Any) -> None:
    with pytest.raises(ValueError, match="neither a port nor a range"):
        await opened(tcp("http"))


class TestLooking:
    """Phase live: nothing is opened."""

    async def test_who_holds_what(self, tcp: Any, free_ports: Any) -> None:
        (free,) = free_ports()
        with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("127.0.0.9", 0)) as there:
            ports = [sock.getsockname()[1] for sock in (here, there)]
            found = await asyncio.to_thread(look, (tcp(f"{ports[0]},{ports[1]},{free}"),))
        assert views(found) == {
            ("127.0.0.1", str(ports[0])): "listener",
            ("127.0.0.1", str(ports[1])): "elsewhere",
            ("127.0.0.1", str(free)): "free",
        }
        elsewhere = next(item.view for item in found if item.view.use is PortUse.ELSEWHERE)
        assert (elsewhere.by, elsewhere.bound) == (ME, ("127.0.0.9",))
        assert not await asyncio.to_thread(answers, free)

    async def test_udp_has_its_own_table(self, tcp: Any) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            ends = tcp(port), tcp(port, transport=Transport.UDP)
            found = await asyncio.to_thread(look, ends)
        assert [item.view.use.value for item in found] == ["free", "listener"]


class TestBesideAnotherAddress:
    """Something listens on the port, but not where others dial."""

    @pytest.fixture
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> int:
        """A listener on loopback, while the host's own address is another."""
        monkeypatch.setattr("probe.standin.lease._carries", lambda address: address != "192.0.2.7")
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    async def test_a_running_service_is_not_joined(self, opened: Any, tcp: Any, elsewhere: int) -> None:
        _, held = await opened(tcp(elsewhere, "192.0.2.7"))
        assert [(item.view.use, item.view.bound) for item in held] == [(PortUse.ELSEWHERE, ("127.0.0.1",))]

    async def test_what_is_still_to_come_is(self, opened: Any, tcp: Any, elsewhere: int) -> None:
        """The port itself cannot be opened for all addresses here, but it was tried."""
        _, held = await opened(tcp(elsewhere, "192.0.2.7"), beside=True)
        assert PortUse.ELSEWHERE not in {item.view.use for item in held}
