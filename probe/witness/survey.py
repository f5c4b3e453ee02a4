"""Everything that listens on this host, with whose it is."""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe.model.listening import Listening
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.text import printable
from probe.witness.sockets import PROCESS_NAME, SocketTable, holders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from probe.witness.sockets import Entry, Holder

# What fits into one frame, in characters of ports, and of everything else in a row; rows are told in the order of their
# ports.
_MOST_TEXT, _ROW_TEXT = 3_500_000, 350
_LONGEST_NAME = 64
_ACCOUNTS = Path("/etc/passwd")


class Survey(msgspec.Struct, frozen=True):
    """`complete`: nothing else listens here."""

    sockets: tuple[Listening, ...]
    complete: bool


def survey(own: Collection[tuple[str, int]] = ()) -> Survey:
    """`own`: addresses and ports at which this process itself listens for coordinators; whatever else it has open is
    a stand-in, and left out. Blocks for as long as it takes to look at all processes.
    """
    table = SocketTable.read()
    entries = table.all_listeners()
    held = holders({entry.inode for entry in entries})
    ours = [
        entry
        for entry in entries
        if not _is_mine(held.get(entry.inode))
        or (entry.transport is Transport.TCP and (entry.address, entry.port) in own)
    ]
    rows = sorted(
        _rows(ours, held), key=lambda row: (PortSet.parse(row.ports).ranges, row.transport, row.address, row.pid)
    )
    lengths = accumulate(len(row.ports) + _ROW_TEXT for row in rows)
    told = sum(1 for length in lengths if length <= _MOST_TEXT)
    return Survey(tuple(rows[:told]), table.complete and told == len(rows))


def _is_mine(holder: Holder | None) -> bool:
    return holder is not None and holder.pid == os.getpid()


def _rows(entries: Iterable[Entry], held: dict[int, Holder]) -> Iterator[Listening]:
    names = accounts(_ACCOUNTS)
    ports: dict[Listening, list[int]] = {}
    for entry in entries:
        holder = held.get(entry.inode)
        uid = holder.uid if holder is not None and holder.uid is not None else entry.uid
        row = Listening(
            address=entry.address,
            transport=entry.transport,
            ports="",
            process=printable(holder.name)[:_LONGEST_NAME] if holder is not None else "",
            pid=holder.pid if holder is not None else 0,
            user=names.get(uid, f"uid {uid}"),
            only_ipv6=entry.only_ipv6,
            interface=entry.interface,
            agent=_is_mine(holder) or (holder is not None and holder.name == PROCESS_NAME),
        )
        ports.setdefault(row, []).append(entry.port)
    for row, some in ports.items():
        yield msgspec.structs.replace(row, ports=str(PortSet.of(some)))


def accounts(path: Path) -> dict[int, str]:
    """The host's own accounts, by number (passwd(5)). Others, of a directory service, are not asked for: that would
    send packets, and may hang.
    """
    found: dict[int, str] = {}
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2].isdecimal():
                found.setdefault(int(fields[2]), printable(fields[0])[:_LONGEST_NAME])
    except OSError:
        pass
    return found
