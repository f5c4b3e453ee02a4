"""What tests of several folders share: free ports, a reactor, and a guard against blocking calls in the loop."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from .authority import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from probe.probes.reactor import Reactor


# A fresh checkout has no tables of Unicode yet: what the first examples take is no property of ours.
settings.register_profile("portcheck", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portcheck")


def _free_ports(count: int = 1, address: str = "127.0.0.1", kind: int = socket.SOCK_STREAM) -> list[int]:
    """Ports that were free a moment ago, all different."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket(family, kind)) for _ in range(count)]
        for sock in socks:
            sock.bind((address, 0))
        return [sock.getsockname()[1] for sock in socks]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that nobody trusts who is not told to."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def free_ports() -> Callable[..., list[int]]:
    return _free_ports


@pytest.fixture
def free_port() -> int:
    """For TCP and UDP on 127.0.0.1."""
    return _free_ports()[0]


@pytest.fixture
async def reactor() -> AsyncIterator[Reactor]:
    from probe.probes.reactor import Reactor

    reactor = Reactor()
    yield reactor
    reactor.close()


@pytest.fixture
def no_blocking() -> Iterator[None]:
    """A call that blocks inside the event loop fails the test."""
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx("probe") as guard:
        # What looks blocking and is not: a read that says MSG_DONTWAIT, a file in memory.
        guard.functions["socket.socket.recv"].can_block_in("standin/web.py", "_adopt")
        guard.functions["os.write"].can_block_in("probes/tls.py", "load_identity")
        yield
