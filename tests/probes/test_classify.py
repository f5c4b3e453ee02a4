"""errno and ICMP to states: the whole table, and a real error queue."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from probe.model.observation import Failure, Icmp, Operation, Proof
from probe.model.words import State
from probe.probes.classify import from_errno, from_error, from_icmp, read_icmp, silence, watch_errors


@pytest.mark.parametrize(
    ("number", "state", "failure"),
    [
        (errno.ECONNREFUSED, "closed", "refused"),
        (errno.ECONNRESET, "open", "reset"),  # a RST to a SYN is a refusal: this came after the handshake
        (errno.EPIPE, "open", "reset"),
        (errno.ETIMEDOUT, "filtered", "kernel-timeout"),
        (errno.EHOSTUNREACH, "unreachable", "host-unreachable"),
        (errno.EHOSTDOWN, "unreachable", "host-unreachable"),
        (errno.ENETUNREACH, "unreachable", "no-route"),
        (errno.ENETDOWN, "unreachable", "no-route"),
        (errno.EAFNOSUPPORT, "unreachable", "no-route"),
        (errno.EPERM, "rejected", "not-permitted"),
        (errno.EACCES, "rejected", "not-permitted"),
        (errno.EADDRNOTAVAIL, "error", "resources"),  # connect: no ephemeral port is left
        (errno.EMFILE, "error", "resources"),
        (errno.ENFILE, "error", "resources"),
        (errno.ENOBUFS, "error", "resources"),
        (errno.ENOMEM, "error", "resources"),
        (errno.EAGAIN, "error", "resources"),
        (errno.EADDRINUSE, "error", "resources"),
        (errno.EIO, "error", "other"),
        (-9, "error", "other"),
        (None, "error", "other"),
    ],
    ids=lambda value: errno.errorcode.get(value) if isinstance(value, int) else None,
)
def test_what_connect_says(number: int | None, state: str, failure: str) -> None:
    seen = from_errno(number, Operation.CONNECT, local="10.0.0.1")
    assert (seen.state.value, seen.failure and seen.failure.value) == (state, failure)
    assert (seen.operation, seen.local) == (Operation.CONNECT, "10.0.0.1")
    assert (seen.proof is Proof.ACCEPTED) == (seen.state is State.OPEN)
    if failure in {"resources", "other"}:
        assert seen.text


def test_an_address_that_is_not_ours_is_no_lack_of_ports() -> None:
    assert from_errno(errno.EADDRNOTAVAIL, Operation.BIND).failure is Failure.ADDRESS


def test_a_timeout_has_two_meanings() -> None:
    own, kernels = TimeoutError(), TimeoutError(errno.ETIMEDOUT, "timed out")
    assert from_error(own, Operation.CONNECT) == silence(Operation.CONNECT)
    assert from_error(own, Operation.CONNECT).failure is Failure.TIMEOUT
    assert from_error(kernels, Operation.CONNECT).failure is Failure.KERNEL_TIMEOUT


@pytest.mark.parametrize(
    ("family", "kind", "code", "state"),
    [
        *((4, 3, code, "rejected") for code in (2, 3, 9, 10, 13)),
        *((4, 3, code, "unreachable") for code in (0, 1, 4, 5, 6, 7, 11, 12)),
        (4, 11, 0, "unreachable"),  # time exceeded: a loop, not a firewall
        *((6, 1, code, "rejected") for code in (1, 4, 5, 6)),
        *((6, 1, code, "unreachable") for code in (0, 3)),
        (6, 3, 1, "unreachable"),
        (6, 3, 13, "unreachable"),
    ],
)
def test_what_icmp_says(family: int, kind: int, code: int, state: str) -> None:
    icmp = Icmp(family=family, type=kind, code=code, sender="192.0.2.1")
    seen = from_icmp(icmp, Operation.CONNECT)
    assert (seen.state.value, seen.failure, seen.icmp) == (state, Failure.ICMP, icmp)


def test_icmp_is_the_better_witness() -> None:
    icmp = Icmp(family=4, type=3, code=13, sender="192.0.2.1")
    seen = from_errno(errno.EHOSTUNREACH, Operation.CONNECT, icmp)
    assert (seen.state, seen.icmp) == (State.REJECTED, icmp)


@pytest.mark.parametrize(
    ("address", "icmp"),
    [
        ("127.0.0.1", Icmp(family=4, type=3, code=3, sender="127.0.0.1")),
        ("::1", Icmp(family=6, type=1, code=4, sender="::1")),
    ],
)
async def test_the_error_queue_tells_who_sent_it(free_ports, address: str, icmp: Icmp) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    (port,) = free_ports(1, address, socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        watch_errors(sock)
        sock.connect((address, port))
        assert read_icmp(sock) is None
        sock.send(b"?")
        async with asyncio.timeout(5):
            while (found := read_icmp(sock)) is None:  # noqa: ASYNC110  (the kernel sets no event)
                await asyncio.sleep(0.005)
        assert found == icmp
        assert read_icmp(sock) is None
