"""The target's own socket table: who holds a port here. Read from /proc/net (proc(5)) and the kernel's sock_diag;
needs no privilege, but names of others' processes may.

A port can be free, held by a listener (the service, or something in its place), or held by an outgoing connection for
a moment.
"""

from __future__ import annotations

import os
import socket
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from probe.model.words import Transport
from probe.text import printable
from probe.witness import sockdiag
from probe.witness.programs import program

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
    bound to all of IPv6, one that takes no IPv4. `interface`: takes only what comes in there; "" for any.
    """

    transport: Transport
    address: str
    port: int
    listening: bool
    inode: int
    uid: int
    only_ipv6: bool = False
    interface: str = ""

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

    def __init__(self, entries: Iterable[Entry], *, complete: bool = True) -> None:
        self.complete = complete
        self._by_port: dict[tuple[Transport, int], list[Entry]] = {}
        for entry in entries:
            self._by_port.setdefault((entry.transport, entry.port), []).append(entry)

    @classmethod
    def read(cls, root: Path = Path("/proc/self/net")) -> SocketTable:
        known = {one.inode: one for transport in Transport for one in sockdiag.listening(transport)}
        tables = [_table(root / name, transport) for transport, names in _TABLES.items() for name in names]
        entries = (
            _detailed(entry, known[entry.inode]) if entry.inode in known else entry
            for table, _ in tables
            for entry in table
        )
        return cls(entries, complete=all(whole for _, whole in tables))

    def on(self, transport: Transport, port: int) -> list[Entry]:
        return self._by_port.get((transport, port), [])

    def listeners(self, transport: Transport, port: int) -> list[Entry]:
        return [entry for entry in self.on(transport, port) if entry.listening]

    def all_listeners(self) -> list[Entry]:
        return [entry for entries in self._by_port.values() for entry in entries if entry.listening]


def _table(path: Path, transport: Transport) -> tuple[list[Entry], bool]:
    """What one of the kernel's files says, and whether that is all of it. A host may have no IPv6."""
    try:
        with path.open(encoding="ascii") as table:
            next(table, None)
            entries = [_entry(transport, line.split()) for line in islice(table, _MOST_LINES)]
            # A file of the kernel's has no end for good: what is asked for after it may have come up since.
            return entries, len(entries) < _MOST_LINES or next(table, None) is None
    except FileNotFoundError:
        return [], path.name.endswith("6")


def _detailed(entry: Entry, more: sockdiag.Listening) -> Entry:
    """With what the kernel says of it beside its table."""
    if not (more.only_ipv6 or more.interface):
        return entry
    return msgspec.structs.replace(entry, only_ipv6=more.only_ipv6, interface=_interface(more.interface))


def _interface(number: int) -> str:
    try:
        return printable(socket.if_indextoname(number)) if number else ""
    except OSError:
        return str(number)  # gone meanwhile


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


class Holder(msgspec.Struct, frozen=True):
    """A process that has a socket open. `uid` is whom it runs as; None where that may not be read."""

    name: str
    pid: int
    uid: int | None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def owners(inodes: set[int], proc: Path = Path("/proc")) -> dict[int, str]:
    """`redis-server (pid 812)` for each of these sockets whose process may be read."""
    return {inode: str(holder) for inode, holder in holders(inodes, proc).items()}


def holders(inodes: set[int], proc: Path = Path("/proc")) -> dict[int, Holder]:
    """Of several the oldest, but for the first process of all, which opens sockets for others. Walks all processes:
    call it once for many.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, Holder] = {}
    pids = [int(name) for name in os.listdir(proc) if name.isdigit()]  # noqa: PTH208  (names only, and quickly)
    for pid in sorted(pids, key=lambda pid: (pid == 1, pid)):
        if len(found) == len(wanted):
            break
        folder = proc / str(pid)
        try:
            inodes = {wanted[link] for link in _links(folder / "fd") if link in wanted} - found.keys()
            if inodes:
                found.update(dict.fromkeys(inodes, Holder(program(folder), pid, _uid(folder))))
        except OSError:
            continue  # gone meanwhile, or not ours to read
    return found


def _uid(folder: Path) -> int | None:
    """Whom this process runs as now, which the owner of a socket that it made as root does not tell."""
    try:
        for line in (folder / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[2])
    except (OSError, ValueError, IndexError):
        pass
    return None


def _links(folder: Path) -> Iterator[str]:
    """What each file of a process is; one that is closed meanwhile is none."""
    with os.scandir(folder) as descriptors:
        for descriptor in descriptors:
            try:
                yield os.readlink(descriptor.path)  # noqa: PTH115  (a Path for each file of each process is dear)
            except OSError:
                continue
