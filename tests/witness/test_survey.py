"""What a survey says of this host's real sockets, and of made-up ones."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from probe.model.listening import Listening
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.wire.frames import LARGEST
from probe.wire.messages import Surveyed, encode
from probe.witness import survey as module
from probe.witness.sockets import Entry, Holder, SocketTable
from probe.witness.survey import accounts, survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def entry(port: int, inode: int, **more: object) -> Entry:
    given = {"transport": Transport.TCP, "address": "0.0.0.0", "listening": True, "uid": 4242, **more}
    return Entry(port=port, inode=inode, **given)  # type: ignore[arg-type]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., module.Survey]:
    """`host(entries, holders)`: a survey of a host like that."""
    passwd = tmp_path / "passwd"
    passwd.write_text("root:x:0:0:root:/root:/bin/sh\nredis:x:26:26::/:/bin/false\ntoor:x:0:0::/:/bin/sh\n")
    monkeypatch.setattr(module, "_ACCOUNTS", passwd)

    def look(
        entries: list[Entry], held: dict[int, Holder], own: frozenset[tuple[str, int]] = frozenset(), **more: bool
    ) -> module.Survey:
        monkeypatch.setattr(module, "holders", lambda inodes: {n: held[n] for n in inodes & held.keys()})
        monkeypatch.setattr(module.SocketTable, "read", lambda: SocketTable(entries, **more))
        return survey(own)

    return look


def test_a_process_is_named_with_whom_it_runs_as(host: Callable[..., module.Survey]) -> None:
    found = host([entry(6379, 1, uid=0), entry(6380, 2, uid=0)], dict.fromkeys((1, 2), Holder("redis", 812, 26)))
    row = Listening(
        address="0.0.0.0", transport=Transport.TCP, ports="6379-6380", process="redis", pid=812, user="redis"
    )
    assert found == module.Survey((row,), complete=True)


def test_whose_it_is_may_not_be_read(host: Callable[..., module.Survey]) -> None:
    (one, two) = host([entry(1, 1, uid=26), entry(2, 2, uid=61234)], {}).sockets
    assert (one.process, one.pid, one.user) == ("", 0, "redis")
    assert two.user == "uid 61234"


def test_a_process_that_does_not_say_whom_it_runs_as(host: Callable[..., module.Survey]) -> None:
    (one,) = host([entry(1, 1, uid=26)], {1: Holder("redis", 812, None)}).sockets
    assert (one.process, one.user) == ("redis", "redis")


def test_rows_are_apart_by_what_they_say(host: Callable[..., module.Survey]) -> None:
    entries = [
        entry(9, 1),
        entry(9, 2, transport=Transport.UDP),
        entry(9, 3, address="::", only_ipv6=True),
        entry(8, 4, address="::"),
        entry(7, 5),
        entry(6, 6, listening=False),
    ]
    found = host(entries, {}).sockets
    assert [(row.address, row.transport, row.ports, row.only_ipv6) for row in found] == [
        ("0.0.0.0", "tcp", "7,9", False),
        ("::", "tcp", "8", False),
        ("::", "tcp", "9", True),
        ("0.0.0.0", "udp", "9", False),
    ]


def test_stand_ins_are_left_out_and_the_agent_is_marked(host: Callable[..., module.Survey]) -> None:
    me, other = Holder("portcheck", os.getpid(), 0), Holder("portcheck", 4_000_000, 0)
    entries = [
        entry(7743, 1),
        entry(7743, 2, transport=Transport.UDP),
        entry(5000, 3),
        entry(7744, 4),
        entry(22, 5),
    ]
    held = {1: me, 2: me, 3: me, 4: other, 5: Holder("sshd", 7, 0)}
    found = host(entries, held, frozenset({("0.0.0.0", 7743)})).sockets
    assert [(row.ports, row.process, row.agent) for row in found] == [
        ("22", "sshd", False),
        ("7743", "portcheck", True),
        ("7744", "portcheck", True),
    ]


def test_names_are_shown_not_obeyed(host: Callable[..., module.Survey]) -> None:
    (one,) = host([entry(1, 1)], {1: Holder("\x1b[31m" + "x" * 99, 8, 0)}).sockets
    assert one.process.isprintable()
    assert len(one.process) == 64


def test_past_a_bound_it_is_not_complete(host: Callable[..., module.Survey], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TEXT", 2 * module._ROW_TEXT + 2)
    entries = [entry(port, port, uid=port) for port in (3, 1, 2)]
    found = host(entries, {})
    assert ([row.ports for row in found.sockets], found.complete) == (["1", "2"], False)
    assert host(entries[:2], {}).complete
    assert not host([], {}, complete=False).complete


def test_the_most_that_is_told_fits_into_a_frame(host: Callable[..., module.Survey]) -> None:
    long = "::1%" + "i" * 15
    held = {n: Holder("\x00" * 15, 4_000_000, n) for n in range(30_000)}
    entries = [entry(n, n, address="fd00:1111:2222:3333:4444:5555:6666:7777", interface=long) for n in range(1, 30_000)]
    entries += [entry(n, n, address=f"fd00::{n:x}", uid=1) for n in range(2, 60_000, 2)]
    found = host(entries, held)
    assert len(encode(Surveyed(id=1, sockets=found.sockets))) <= LARGEST
    assert not found.complete


def test_without_accounts_there_are_numbers(tmp_path: Path) -> None:
    assert accounts(tmp_path / "none") == {}
    (tmp_path / "passwd").write_text("+@netgroup::::::\nshort:x\nodd:x:many:1::/:\n\x1b[1m:x:5:5::/:/bin/sh\n")
    assert accounts(tmp_path / "passwd") == {5: "\\x1b[1m"}


def test_one_real_look() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address, port = server.getsockname()
        assert not any(port in PortSet.parse(row.ports) and row.address == address for row in survey().sockets)
        found = survey({(address, port)})
        (mine,) = [row for row in found.sockets if row.address == address and port in PortSet.parse(row.ports)]
    assert (mine.pid, mine.transport, found.complete) == (os.getpid(), Transport.TCP, True)
    assert mine.user == accounts(module._ACCOUNTS)[os.geteuid()]
