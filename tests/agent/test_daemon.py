"""The daemon on loopback: who may come in, and what becomes of those who leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from probe.agent import daemon as module
from probe.agent.daemon import Daemon, check_health, split_place
from probe.coordinator import pki
from probe.coordinator.channels import ChannelError, DaemonChannel
from probe.coordinator.link import AgentRefused, Link
from probe.errors import UserError
from probe.model.words import Transport
from probe.wire import identity
from probe.wire.messages import Endpoint, Open, Sweep, Sweeping, SweepTarget, Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECONDS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki") / "ours"
    pki.init(folder)
    pki.issue(folder, "web1", ["127.0.0.1"])
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki") / "theirs"
    pki.init(folder)
    pki.issue(folder, "web1", ["127.0.0.1"])
    return folder


@pytest.fixture
async def daemon(folder: Path) -> AsyncIterator[tuple[Daemon, str]]:
    """A daemon and its URL."""
    served = Daemon(identity.server_context(identity.load(folder / "web1.pem")))
    _, port = await served.start("127.0.0.1", 0)
    yield served, f"https://127.0.0.1:{port}"
    await served.stop()


def commanding(folder: Path) -> ssl.SSLContext:
    return identity.client_context(identity.load(folder / "coordinator.pem"))


async def come(url: str, tls: ssl.SSLContext) -> Link:
    async with asyncio.timeout(SECONDS):
        link = Link(await DaemonChannel.start(url, tls), "run")
        await link.greet(5)
    return link


def opening(number: int, port: int) -> Open:
    end = Endpoint(address="127.0.0.1", transport=Transport.TCP, ports=str(port))
    return Open(id=number, endpoints=(end,), key=bytes(32))


async def test_the_coordinator_is_let_in(daemon: Any, folder: Path, accepts: Any, free_port: int) -> None:
    link = await come(daemon[1], commanding(folder))
    looked = await link.look(lambda number: opening(number, free_port), 5)
    assert looked.held[0].view.use.value == "stand-in"
    assert await accepts(free_port)
    await link.close()
    async with asyncio.timeout(SECONDS):
        while await accepts(free_port):  # noqa: ASYNC110  (a port sets no event)
            await asyncio.sleep(0.02)


async def test_two_coordinators_do_not_meet(daemon: Any, folder: Path) -> None:
    links = [await come(daemon[1], commanding(folder)) for _ in range(2)]
    for link in links:
        assert link.hello is not None
        await link.close()


async def test_its_own_port_is_marked_in_a_survey(daemon: Any, folder: Path, free_port: int) -> None:
    """And its stand-ins are left out."""
    link = await come(daemon[1], commanding(folder))
    await link.look(lambda number: opening(number, free_port), 5)
    rows = [row for row in (await link.survey(5)).sockets if row.pid == os.getpid()]
    assert [(row.address, row.ports, row.agent) for row in rows] == [
        ("127.0.0.1", daemon[1].rpartition(":")[2], True),
    ]
    await link.close()


async def test_coordinators_sweep_one_after_the_other(
    daemon: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has its turn once the first is lost."""
    begun, running = asyncio.Queue[int](), 0

    async def sweeps(*_: object, **__: object) -> None:
        nonlocal running
        running += 1
        begun.put_nowait(running)
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    monkeypatch.setattr("probe.sweep.sweep.sweep", sweeps)
    first, second = [await come(daemon[1], commanding(folder)) for _ in range(2)]
    waiting: list[Sweeping] = []

    def order(number: int) -> Sweep:
        return Sweep(id=number, targets=(SweepTarget(address="192.0.2.1", ports="1"),), transport=Transport.TCP)

    orders = [
        asyncio.create_task(first.sweep(order, lambda _: None, 60)),
        asyncio.create_task(second.sweep(order, waiting.append, 60)),
    ]
    async with asyncio.timeout(SECONDS):
        assert await begun.get() == 1
        while not waiting:  # noqa: ASYNC110  (words on the way set no event)
            await asyncio.sleep(0.02)
        assert begun.empty()
        await first.close()
        assert await begun.get() == 1
    await second.close()
    for each in orders:
        each.cancel()
    await asyncio.wait(orders)


async def test_tallies_of_all_coordinators_are_bounded(
    daemon: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.agent.lookout._MOST_TALLIES", 1)
    monkeypatch.setattr("probe.witness.tally.Tally.start", lambda _: None)
    first, second = [await come(daemon[1], commanding(folder)) for _ in range(2)]
    number = await first.tally(lambda number: Tally(id=number, flows=()), 5)
    with pytest.raises(AgentRefused, match="too many tallies"):
        await second.tally(lambda number: Tally(id=number, flows=()), 5)
    await first.tallied(number, 5)
    await second.tally(lambda number: Tally(id=number, flows=()), 5)
    await second.close()
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(AgentRefused):
                await first.tally(lambda number: Tally(id=number, flows=()), 5)
                break
    await first.close()


class TestRefused:
    async def refused(self, url: str, tls: ssl.SSLContext) -> str:
        with pytest.raises(ChannelError) as caught:
            async with asyncio.timeout(SECONDS):
                await DaemonChannel.start(url, tls)
        return str(caught.value)

    async def test_the_coordinator_of_somebody_else(self, daemon: Any, others: Path) -> None:
        assert "its certificate is not good" in await self.refused(daemon[1], commanding(others))

    async def test_one_that_trusts_us_and_is_not_ours(self, daemon: Any, others: Path) -> None:
        """It does not look at our certificate; we look at its."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        tls.load_cert_chain(others / "coordinator.pem")
        assert await self.refused(daemon[1], tls)

    async def test_an_agent(self, daemon: Any, folder: Path) -> None:
        """Its certificate is of our CA, but not made out to command."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.load_verify_locations(folder / "ca.pem")
        tls.load_cert_chain(folder / "web1.pem")
        assert await self.refused(daemon[1], tls)

    async def test_nobody(self, daemon: Any, folder: Path) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.load_verify_locations(folder / "ca.pem")
        assert await self.refused(daemon[1], tls)

    async def test_plain_http(self, daemon: Any) -> None:
        port = int(daemon[1].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP" not in await reader.read()
        writer.close()

    async def test_too_many_at_once(self, daemon: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_VISITS", 1)
        first = await come(daemon[1], commanding(folder))
        assert "503" in await self.refused(daemon[1], commanding(folder))
        await first.close()


async def test_stopping_ends_every_visit(folder: Path, accepts: Any, free_port: int) -> None:
    served = Daemon(identity.server_context(identity.load(folder / "web1.pem")))
    _, port = await served.start("127.0.0.1", 0)
    link = await come(f"https://127.0.0.1:{port}", commanding(folder))
    await link.look(lambda number: opening(number, free_port), 5)
    await served.stop()
    assert not await accepts(free_port)
    async with asyncio.timeout(SECONDS):
        while link.lost is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await link.close()


@pytest.mark.parametrize("words", ["text", b"garbage", b"\nportcheck-wire\n\xff\xff\xff\xff"])
async def test_nonsense_ends_a_visit_and_no_other(daemon: Any, folder: Path, words: str | bytes) -> None:
    other = await come(daemon[1], commanding(folder))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{daemon[1]}{module.PATH}", ssl=commanding(folder)) as visit,
    ):
        await (visit.send_str(words) if isinstance(words, str) else visit.send_bytes(words + bytes(20_000)))
        async with asyncio.timeout(SECONDS):
            while (await visit.receive()).type is aiohttp.WSMsgType.BINARY:
                pass
    assert other.lost is None
    await other.close()


async def test_a_port_that_is_taken_is_an_error_for_the_user(daemon: Any, folder: Path) -> None:
    port = int(daemon[1].rpartition(":")[2])
    second = Daemon(identity.server_context(identity.load(folder / "web1.pem")))
    with pytest.raises(UserError, match=rf"cannot listen on 127\.0\.0\.1:{port}: "):
        await second.start("127.0.0.1", port)


class TestHealth:
    async def test_it_lives(self, daemon: Any, folder: Path) -> None:
        await check_health(daemon[1].removeprefix("https://"), str(folder / "web1.pem"))

    async def test_it_does_not(self, folder: Path, free_port: int) -> None:
        with pytest.raises(UserError, match=f"127.0.0.1:{free_port}: .*(refused|failed)"):
            await check_health(f"127.0.0.1:{free_port}", str(folder / "web1.pem"))

    async def test_it_is_another(self, daemon: Any, others: Path) -> None:
        with pytest.raises(UserError, match=r"(?i)certificate.verify.failed"):
            await check_health(daemon[1].removeprefix("https://"), str(others / "web1.pem"))

    async def test_it_hangs(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_HEALTH", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with pytest.raises(UserError, match="no handshake within"):
                await check_health(f"127.0.0.1:{port}", str(folder / "web1.pem"))

    async def test_as_a_command(self, daemon: Any, folder: Path) -> None:
        place = daemon[1].removeprefix("https://")
        command = [sys.executable, "-m", "probe", "agent", "--health", place, "--identity", str(folder / "web1.pem")]
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("0.0.0.0:7411", ("0.0.0.0", 7411)),
        ("[::]:7411", ("::", 7411)),
        ("[2001:db8::1]:1", ("2001:db8::1", 1)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_a_place(place: str, found: tuple[str, int]) -> None:
    assert split_place(place) == found


@pytest.mark.parametrize("place", ["7411", ":7411", "::7411", "host:", "host:http", "host:70000", "a:b:1", "host:²"])
def test_what_is_no_place(place: str) -> None:
    with pytest.raises(UserError, match=f"^{place}: "):
        split_place(place)
