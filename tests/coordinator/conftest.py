"""An agent that follows a script, and small plans for runs on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from probe.coordinator.channels import ChannelError
from probe.coordinator.link import Link
from probe.model.inventory import Host, Inventory
from probe.model.matrix import Flow, Matrix, Role, Service
from probe.model.words import Policy, Zone
from probe.plan import Plan, Wishes
from probe.wire.frames import PREFACE, Decoder
from probe.wire.messages import VERSION, Hello, Ping, Pong, decode_order, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from probe.wire.messages import Message, Order

HELLO = Hello(wire=VERSION, version="0", python="3", capabilities=("ipv6",), files=1000)


class Script:
    """A channel. `answer(order)` says what is sent back to an order: messages, bytes, an exception, or None for the
    end. Pings are answered unless `deaf`.
    """

    name = "script"

    def __init__(self, answer: Callable[[Order], Any] | None = None, *first: Message | bytes) -> None:
        self.orders: list[Order] = []
        self.closed = False
        self.deaf = False
        self.words = ""
        self._answer = answer or (lambda _: ())
        self._decoder = Decoder()
        self._out: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.say(*(first or (PREFACE, HELLO)))

    def say(self, *what: Message | bytes | Exception | None) -> None:
        for item in what:
            if item is None or isinstance(item, (bytes, Exception)):
                self._out.put_nowait(b"" if item is None else item)
            else:
                self._out.put_nowait(encode(item))

    async def send(self, data: bytes) -> None:
        for payload in self._decoder.feed(data):
            order = decode_order(payload)
            if isinstance(order, Ping):
                self.say(*([] if self.deaf else [Pong(id=order.id)]))
                continue
            self.orders.append(order)
            found = self._answer(order)
            self.say(*(found if isinstance(found, (list, tuple)) else [found]))

    async def receive(self) -> bytes:
        found = await self._out.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        self.closed = True

    def last_words(self) -> str:
        return self.words


@pytest.fixture
def script() -> type[Script]:
    return Script


@pytest.fixture
def gone() -> Exception:
    return ChannelError("the line is dead")


@pytest.fixture
async def link() -> AsyncIterator[Callable[..., Awaitable[Link]]]:
    """`await link(script)`: greeted; closed in the end."""
    links = []

    async def start(channel: Script, *, greet: bool = True) -> Link:
        made = Link(channel, "run")
        links.append(made)
        if greet:
            await made.greet(5)
        return made

    yield start
    for made in links:
        async with asyncio.timeout(5):
            await made.close()


def _host(name: str, role: str, address: str, **vars_: Any) -> Host:
    vars_.setdefault("ansible_connection", "local")
    return Host(name=name, addresses=(address,), roles=(role,), vars=vars_)


def _plan(*hosts: Host, ports: str, protocol: Any = None, **more: Any) -> Plan:
    """web reaches db on these ports; the other way is ignored unless a policy says more."""
    service = Service(
        name="sql", roles=("db",), port=ports, matrix="shop", **({"protocols": (protocol,)} if protocol else {})
    )
    matrix = Matrix(
        names=("shop",),
        roles={"web": Role(name="web"), "db": Role(name="db")},
        services={"sql": service},
        flows=(Flow(rule="flows[0]", sources=("web",), services=("sql",), matrix="shop"),),
        policy={zone: more.get("policy", Policy.IGNORE) for zone in Zone},
    )
    inventory = Inventory(source="hosts.txt", hosts={host.name: host for host in hosts})
    return Plan(matrix, inventory, Wishes(seed=1))


@pytest.fixture
def host() -> Callable[..., Host]:
    return _host


@pytest.fixture
def plan() -> Callable[..., Plan]:
    return _plan
