"""The target's own socket table: who holds a port here. Read from /proc/net (proc(5)) and the kernel's sock_diag;
needs no privilege, but names of others' processes may.

A port can be free, held by a listener (the service, or something in its place), or held by an outgoing connection for
a moment.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe.model.words import Transport
from probe.witness import sockdiag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TABLES = {Transport.TCP: ("tcp", "tcp6"), Transport.UDP: ("udp", "udp6")}
_LISTEN, _UDP_UNCONNECTED = "0A", "07"
ANY = ("0.0.0.0", "::")
# What agents call themselves (proc(5), comm), so that one knows the stand-ins of another.
PROCESS_NAME = "portcheck"
# A table of a million sockets is 150 MB of text; past this it is not read to the end.
_MOST_LINES = 1_000_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One socket. `listening`: it takes what strangers send (TCP LISTEN, UDP without a peer). `only_ipv6`: of those
    bound to all of IPv6, one that takes no IPv4.
    """

    transport: Transport
    address: str
    port: int
    listening: bool
    inode: int
    uid: int
    only_ipv6: bool = False

    def covers(self, address: str) -> bool:
        """Whether what is sent to this address of the host arrives at this socket. `::` takes IPv4 too unless the
        socket forbids it.
        """
        if self.address == "::":
            return ":" in address or not self.only_ipv6
        if self.address == address:
            return True
        return self.address == "0.0.0.0" and ":" not in address


class SocketTable:
    """A snapshot."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_port: dict[tuple[Transport, int], list[Entry]] = {}
        for entry in entries:
            self._by_port.setdefault((entry.transport, entry.port), []).append(entry)

    @classmethod
    def read(cls, root: Path = Path("/proc/self/net")) -> SocketTable:
        only_ipv6 = {one.inode for transport in Transport for one in sockdiag.listening(transport) if one.only_ipv6}
        return cls(
            msgspec.structs.replace(entry, only_ipv6=True) if entry.inode in only_ipv6 else entry
            for entry in _entries(root)
        )

    def on(self, transport: Transport, port: int) -> list[Entry]:
        return self._by_port.get((transport, port), [])

    def listeners(self, transport: Transport, port: int) -> list[Entry]:
        return [entry for entry in self.on(transport, port) if entry.listening]


def _entries(root: Path) -> Iterator[Entry]:
    for transport, names in _TABLES.items():
        for name in names:
            try:
                with (root / name).open(encoding="ascii") as table:
                    next(table, None)
                    for _, line in zip(range(_MOST_LINES), table, strict=False):
                        yield _entry(transport, line.split())
            except FileNotFoundError:
                continue  # no IPv6 on this host


def _entry(transport: Transport, fields: list[str]) -> Entry:
    address, _, port = fields[1].partition(":")
    state = _UDP_UNCONNECTED if transport is Transport.UDP else _LISTEN
    return Entry(
        transport=transport,
        address=_address(address),
        port=int(port, 16),
        listening=fields[3] == state,
        uid=int(fields[7]),
        inode=int(fields[9]),
    )


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's order."""
    raw = b"".join(int(text[at : at + 8], 16).to_bytes(4, _ORDER) for at in range(0, len(text), 8))
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if raw.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


_ORDER: Literal["little", "big"] = "little" if socket.htons(1) != 1 else "big"


def owners(inodes: set[int], proc: Path = Path("/proc")) -> dict[int, str]:
    """`redis-server (pid 812)` for each of these sockets whose process may be read. Walks all processes: call it once
    for many.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, str] = {}
    for pid in (name for name in os.listdir(proc) if name.isdigit()):  # noqa: PTH208  (names only, and quickly)
        if len(found) == len(wanted):
            break
        try:
            inodes = {wanted[link] for link in _links(proc / pid / "fd") if link in wanted} - found.keys()
            if inodes:
                name = (proc / pid / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.update((inode, f"{name} (pid {pid})") for inode in inodes)
        except OSError:
            continue  # gone meanwhile, or not ours to read
    return found


def _links(folder: Path) -> Iterator[str]:
    """What each file of a process is; one that is closed meanwhile is none."""
    with os.scandir(folder) as descriptors:
        for descriptor in descriptors:
            try:
                yield os.readlink(descriptor.path)  # noqa: PTH115  (a Path for each file of each process is dear)
            except OSError:
                continue
