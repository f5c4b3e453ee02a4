"""/proc/net as the kernel prints it, and one look at the real thing."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from probe.model.words import Transport
from probe.witness.sockets import Entry, Holder, SocketTable, holders, owners

TCP, UDP = Transport.TCP, Transport.UDP
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TAIL = "00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
LINES = {
    "tcp": [
        ("00000000:0016", "00000000:0000", "0A", 0, 101),  # sshd on all addresses
        ("0100007F:1538", "00000000:0000", "0A", 26, 102),  # 127.0.0.1:5432
        ("0100007F:1538", "0100007F:9C40", "01", 26, 103),  # a client of it
        ("0200000A:9C40", "0500000A:01BB", "01", 1000, 104),  # an outgoing connection
    ],
    "tcp6": [
        ("00000000000000000000000000000000:0050", "00000000000000000000000000000000:0000", "0A", 33, 201),
        ("00000000000000000000000001000000:0277", "00000000000000000000000000000000:0000", "0A", 0, 202),
        ("0000000000000000FFFF00000100007F:1F90", "00000000000000000000000000000000:0000", "0A", 1000, 203),
        ("B80D0120000000000000000007000000:0051", "00000000000000000000000000000000:0000", "0A", 33, 204),
    ],
    "udp": [
        ("3500007F:0035", "00000000:0000", "07", 101, 301),  # 127.0.0.53:53
        ("0200000A:0044", "0100000A:0043", "01", 0, 302),  # connected: a DHCP client
    ],
    "udp6": [("00000000000000000000000000000000:14E9", "00000000000000000000000000000000:0000", "07", 0, 401)],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, lines in LINES.items():
        rows = [
            f"{number:4}: {local} {remote} {state} " + TAIL.format(uid=uid, inode=inode)
            for number, (local, remote, state, uid, inode) in enumerate(lines)
        ]
        (tmp_path / name).write_text(HEAD + "".join(rows))
    return tmp_path


pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the text here is a little-endian kernel's")


@pytest.mark.parametrize(
    ("transport", "port", "address", "listening", "inode"),
    [
        (TCP, 22, "0.0.0.0", True, 101),
        (TCP, 40000, "10.0.0.2", False, 104),
        (TCP, 80, "::", True, 201),
        (TCP, 631, "::1", True, 202),
        (TCP, 8080, "127.0.0.1", True, 203),  # IPv4 through an IPv6 socket
        (TCP, 81, "2001:db8::7", True, 204),
        (UDP, 53, "127.0.0.53", True, 301),
        (UDP, 68, "10.0.0.2", False, 302),
        (UDP, 5353, "::", True, 401),
    ],
)
def test_what_the_table_says(
    root: Path, transport: Transport, port: int, address: str, listening: bool, inode: int
) -> None:
    (entry,) = SocketTable.read(root).on(transport, port)
    assert (entry.address, entry.listening, entry.inode) == (address, listening, inode)
    assert SocketTable.read(root).listeners(transport, port) == ([entry] if listening else [])


def test_a_service_and_its_guests_share_a_port(root: Path) -> None:
    table = SocketTable.read(root)
    assert [entry.inode for entry in table.on(TCP, 5432)] == [102, 103]
    assert [entry.uid for entry in table.listeners(TCP, 5432)] == [26]
    assert table.on(UDP, 5432) == []


def test_all_that_listens(root: Path) -> None:
    table = SocketTable.read(root)
    assert table.complete
    assert {entry.inode for entry in table.all_listeners()} == {101, 102, 201, 202, 203, 204, 301, 401}


def test_a_table_that_is_too_long_is_not_complete(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.witness.sockets._MOST_LINES", 4)
    assert SocketTable.read(root).complete
    monkeypatch.setattr("probe.witness.sockets._MOST_LINES", 3)
    assert not SocketTable.read(root).complete


def test_a_table_that_is_not_there_is_not_complete(root: Path) -> None:
    (root / "udp").unlink()
    assert not SocketTable.read(root).complete


def test_a_host_without_ipv6(root: Path) -> None:
    (root / "tcp6").unlink()
    (root / "udp6").unlink()
    table = SocketTable.read(root)
    assert table.complete
    assert table.on(TCP, 80) == []
    assert table.listeners(TCP, 22)


@pytest.mark.parametrize(
    ("bound", "asked", "covers"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("0.0.0.0", "10.0.0.2", True),
        ("0.0.0.0", "2001:db8::1", False),
        ("::", "10.0.0.2", True),
        ("::", "2001:db8::1", True),
        ("127.0.0.1", "10.0.0.2", False),
    ],
)
def test_what_arrives_where(bound: str, asked: str, covers: bool) -> None:
    entry = Entry(transport=TCP, address=bound, port=1, listening=True, inode=1, uid=0)
    assert entry.covers(asked) is covers


@pytest.mark.parametrize(("address", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "0.0.0.0")])
def test_one_real_look(address: str, shown: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        (entry,) = SocketTable.read().listeners(TCP, port)
        assert (entry.address, entry.uid) == (shown, os.geteuid())
        name = Path("/proc/self/comm").read_text().strip()
        assert owners({entry.inode}) == {entry.inode: f"{name} (pid {os.getpid()})"}
    assert SocketTable.read().listeners(TCP, port) == []


class TestOwners:
    @pytest.fixture
    def proc(self, tmp_path: Path) -> Path:
        processes = (
            (1, "systemd", (12, 14)),
            (7, "redis-server", (11, 12)),
            (8, "\x1b[31mred\n", (13,)),
            (9, "late", (11,)),
            (10, "later", (11,)),
        )
        for pid, name, inodes in processes:
            files = tmp_path / str(pid) / "fd"
            files.mkdir(parents=True)
            (tmp_path / str(pid) / "comm").write_text(name + "\n")
            (tmp_path / str(pid) / "status").write_text(f"Name:\t{name}\nUid:\t0\t{pid}00\t0\t0\nGid:\t1\t1\t1\t1\n")
            (files / "0").symlink_to("/dev/null")
            for number, inode in enumerate(inodes, 1):
                (files / str(number)).symlink_to(f"socket:[{inode}]")
        (tmp_path / "11").mkdir()  # gone meanwhile
        (tmp_path / "self").mkdir()
        return tmp_path

    def test_they_are_named(self, proc: Path) -> None:
        found = owners({12, 99}, proc)
        assert found == {12: "redis-server (pid 7)"}

    def test_of_those_that_share_a_socket_the_oldest_is_named(self, proc: Path) -> None:
        assert holders({11}, proc) == {11: Holder("redis-server", 7, 700)}

    def test_the_first_process_opens_sockets_for_others(self, proc: Path) -> None:
        assert holders({12, 14}, proc) == {12: Holder("redis-server", 7, 700), 14: Holder("systemd", 1, 100)}

    @pytest.mark.parametrize("status", [None, "Name:\tx\n", "Uid:\t0\n", "Uid:\t0\tx\n"])
    def test_whom_a_process_runs_as_may_not_be_told(self, proc: Path, status: str | None) -> None:
        (proc / "7" / "status").unlink()
        if status is not None:
            (proc / "7" / "status").write_text(status)
        assert holders({11}, proc) == {11: Holder("redis-server", 7, None)}

    def test_nothing_wanted_is_nothing_read(self, tmp_path: Path) -> None:
        assert owners(set(), tmp_path) == {}
