"""All stand-ins of one order, opened together and closed together. The agent closes them when the coordinator says
so, goes away, or falls silent.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import PortUse, TargetView
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.standin.answers import Answers
from probe.standin.listener import Listener
from probe.wire.messages import Endpoint, Held, Open
from probe.witness.sockets import ANY, PROCESS_NAME, SocketTable, owners

if TYPE_CHECKING:
    from probe.probes.reactor import Reactor
    from probe.standin.datagrams import Datagrams
    from probe.standin.web import Web
    from probe.witness.sockets import Entry

# A port that an outgoing connection holds is often free a moment later.
_TRIES, _PAUSE = 4, 0.1


class Lease:
    """`open` once, `close` once."""

    def __init__(self, reactor: Reactor, order: Open) -> None:
        self._order = order
        self._answers = Answers(order.key)
        self._remarks: dict[tuple[str, Transport, int], str] = {}
        self._web: Web | None = None
        if any(endpoint.web for endpoint in order.endpoints):
            # aiohttp costs 0.3 s and 27 MB: only where there is HTTP to serve.
            from probe.standin.web import Web

            self._web = Web(self._answers, order.certificate, order.private_key)
        self._listener = Listener(reactor, self._answers, self._web.accept if self._web else None)
        self._datagrams: Datagrams | None = None
        if any(endpoint.transport is Transport.UDP for endpoint in order.endpoints):
            from probe.standin.datagrams import Datagrams

            self._datagrams = Datagrams(self._answers)

    async def open(self) -> tuple[Held, ...]:
        """Open what is free, and say for every port who holds it."""
        held = await asyncio.to_thread(look, self._order.endpoints, opening=True)
        joined = (PortUse.FREE, PortUse.ELSEWHERE) if self._order.beside else (PortUse.FREE,)
        taken = [item for item in held if item.view.use not in joined]
        for item in held:
            if item.view.use is PortUse.ELSEWHERE:
                where = ", ".join(item.view.bound)
                remark = f"{item.view.by} listens on {where}: a service for all addresses will not start"
                place = (item.address, item.transport)
                self._remarks.update(((*place, port), remark) for port in PortSet.parse(item.ports))
        books = []
        for endpoint in self._order.endpoints:
            ports = PortSet.parse(endpoint.ports)
            for item in taken:
                if (item.address, item.transport) == (endpoint.address, endpoint.transport):
                    ports -= PortSet.parse(item.ports)
            books += [await self._open(endpoint, address, ports) for address in bindable(endpoint.address)]
        return (*taken, *(item for book in books for item in book))

    async def _open(self, endpoint: Endpoint, address: str, ports: PortSet) -> list[Held]:
        book = _Book(endpoint)
        left = list(ports)
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            left = await self._try(endpoint, address, left, book)
            if not left:
                break
        await self._explain(endpoint, address, left, book)
        return book.held()

    async def _try(self, endpoint: Endpoint, address: str, ports: list[int], book: _Book) -> list[int]:
        """One pass; returns the ports worth another: in use, although nothing listened a moment ago."""
        again = []
        for position, port in enumerate(ports):
            if position % 256 == 255:
                await asyncio.sleep(0)  # opening thousands must not starve pings
            if self._answers.covers(address, port, endpoint.transport):
                self._answers.share(address, port, endpoint.transport)
                book.note(port, _OPENED_BEFORE)
                continue
            try:
                if endpoint.transport is Transport.TCP:
                    self._listener.listen(address, port, web=endpoint.web)
                elif self._datagrams is not None:
                    await self._datagrams.listen(address, port)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    again.append(port)
                else:
                    book.note(port, TargetView(use=PortUse.DENIED, detail=_reason(error, port)))
                continue
            self._answers.stand_for(address, port, endpoint.transport, endpoint.address)
            opened = _OPENED if address not in ANY or endpoint.address in ANY else _OPENED_WIDE
            remark = self._remarks.get((endpoint.address, endpoint.transport, port))
            book.note(port, opened if remark is None else TargetView(use=PortUse.STAND_IN, detail=remark))
        return again

    async def _explain(self, endpoint: Endpoint, address: str, ports: list[int], book: _Book) -> None:
        """Who holds what could not be opened in the end."""
        if not ports:
            return
        table = await asyncio.to_thread(SocketTable.read)
        taken = {
            port: [entry for entry in table.on(endpoint.transport, port) if entry.covers(address) or address in ANY]
            for port in ports
        }
        names = await asyncio.to_thread(owners, {entry.inode for entries in taken.values() for entry in entries})
        for port, entries in taken.items():
            book.note(port, view_of(entries, names))

    def stalled(self) -> None:
        """The loop stood still for longer than anybody waits: somebody may have gone unanswered."""
        self._answers.starved = True

    def expire(self) -> None:
        self._listener.expire()
        if self._web is not None:
            self._web.expire()

    async def close(self) -> Answers:
        """Close everything; what is returned has the receipts."""
        self._listener.close()
        if self._datagrams is not None:
            self._datagrams.close()
        if self._web is not None:
            await self._web.close()
        return self._answers


_OPENED = TargetView(use=PortUse.STAND_IN)
_OPENED_BEFORE = TargetView(use=PortUse.STAND_IN, detail="it meets what is sent to another address of this host too")
_OPENED_WIDE = TargetView(use=PortUse.STAND_IN, detail="bound to all addresses: this one is not the host's own")


class _Book:
    """Ports of one endpoint, gathered by what was found."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._views: dict[TargetView, list[int]] = {}
        self._translated = _translated(endpoint.address)

    def note(self, port: int, view: TargetView) -> None:
        self._views.setdefault(view, []).append(port)

    def held(self) -> list[Held]:
        return [
            Held(
                address=self._endpoint.address,
                transport=self._endpoint.transport,
                ports=str(PortSet.of(ports)),
                view=msgspec.structs.replace(view, translated=True) if self._translated else view,
            )
            for view, ports in self._views.items()
        ]


def view_of(entries: list[Entry], names: dict[int, str]) -> TargetView:
    """What the table's entries for one port amount to."""
    listeners = [entry for entry in entries if entry.listening]
    shown = listeners or entries
    by = ", ".join(sorted({names.get(entry.inode, f"a process of uid {entry.uid}") for entry in shown}))
    bound = tuple(sorted({entry.address for entry in shown}))
    if listeners and all(_is_stand_in(entry, names) for entry in listeners):
        # Two names for one machine, or two runs at a time: this is no service and nothing that holds the port for good.
        return TargetView(use=PortUse.DENIED, by=by, bound=bound, detail=f"another stand-in holds the port: {by}")
    return TargetView(use=PortUse.LISTENER if listeners else PortUse.OUTGOING, by=by, bound=bound)


def look(endpoints: tuple[Endpoint, ...], *, opening: bool = False) -> tuple[Held, ...]:
    """Who holds these ports; nothing is opened. `opening`: it is asked in order to stand in on what is free."""
    listeners, names = _listeners(endpoints)
    if any(entry.inode not in names for entries in listeners.values() for entry in entries):
        # Somebody else's process, or one that has closed its socket since: then it is not in the table any more.
        again, more = _listeners(endpoints)
        listeners = {
            place: [entry for entry in entries if entry in again[place]] for place, entries in listeners.items()
        }
        names |= more
    books = []
    for endpoint in endpoints:
        book = _Book(endpoint)
        books.append(book)
        addresses = bindable(endpoint.address)
        for port in PortSet.parse(endpoint.ports):
            book.note(port, _view(listeners[endpoint.transport, port], addresses, names, opening=opening))
    return tuple(held for book in books for held in book.held())


def _listeners(endpoints: tuple[Endpoint, ...]) -> tuple[dict[tuple[Transport, int], list[Entry]], dict[int, str]]:
    """What listens on these ports, and the names of the processes as far as they may be read."""
    table = SocketTable.read()
    listeners = {
        (endpoint.transport, port): table.listeners(endpoint.transport, port)
        for endpoint in endpoints
        for port in PortSet.parse(endpoint.ports)
    }
    inodes = {entry.inode for entries in listeners.values() for entry in entries}
    return listeners, owners(inodes) if inodes else {}


def _view(listeners: list[Entry], addresses: list[str], names: dict[int, str], *, opening: bool) -> TargetView:
    here = [entry for entry in listeners if _meets(entry, addresses)]
    if here:
        return view_of(here, names)
    others = [entry for entry in listeners if not (opening and _unrelated(entry, addresses, names))]
    if not others:
        return TargetView(use=PortUse.FREE)
    view = view_of(others, names)
    return TargetView(use=PortUse.ELSEWHERE, by=view.by, bound=view.bound)


def _meets(entry: Entry, addresses: list[str]) -> bool:
    """Whether this listener takes what is sent to these addresses. Where all of the host's stand for one that is not
    known (a name, or translated on the way), it is not a loopback one.
    """
    return any(entry.covers(own) or (own in ANY and not _loopback(entry.address)) for own in addresses)


def _unrelated(entry: Entry, addresses: list[str], names: dict[int, str]) -> bool:
    """Another stand-in, or another host's listener where several hosts share the loopback network of one machine."""
    return _is_stand_in(entry, names) or (_loopback(entry.address) and all(_loopback(own) for own in addresses))


def _is_stand_in(entry: Entry, names: dict[int, str]) -> bool:
    return names.get(entry.inode, "").startswith(f"{PROCESS_NAME} (")


def _loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


def bindable(address: str) -> list[str]:
    """What to bind to, so that what is sent to this address arrives: itself where the host carries it; all addresses
    where it is a name (what it means here is not what it means to others: think of 127.0.1.1 in /etc/hosts) or is
    translated on the way.
    """
    try:
        version = ip_address(address.partition("%")[0]).version
    except ValueError:
        return ["0.0.0.0", "::"] if _carries("::") else ["0.0.0.0"]
    if _carries(address):
        return [address]
    return ["0.0.0.0"] if version == 4 else ["::"]


def _translated(address: str) -> bool:
    """Whether others dial an address that this host does not carry. Of a name that is not known here."""
    try:
        wide = ip_address(address.partition("%")[0]).is_unspecified
    except ValueError:
        return False
    return not wide and not _carries(address)


def _carries(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


def _reason(error: OSError, port: int) -> str:
    if error.errno == errno.EACCES and port < 1024:
        return "this agent may not open ports below 1024: run it as root or give it CAP_NET_BIND_SERVICE"
    if error.errno == errno.EMFILE:
        return "this agent may not open more files: raise its limit (ulimit -n)"
    return f"the port could not be opened: {errno.errorcode.get(error.errno or 0, str(error))}"
