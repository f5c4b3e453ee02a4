"""What a stand-in says, and the receipts of what reached it. One for each order; TCP, UDP and HTTP stand-ins share
it.
"""

from __future__ import annotations

from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.wire.challenge import is_ours, make_answer, pair_key, read_ask
from probe.wire.messages import Arrival, Receipt
from probe.witness.sockets import ANY

# Receipts are evidence, not a log: past these bounds a flood changes nothing.
_MOST_ARRIVALS, _MOST_SOURCES = 2000, 20_000


_Door = tuple[str, Transport]
"""An address of this host as the coordinator names it, and a transport."""
_Book = dict[tuple[int, str, _Door], set[int]]
"""Ports by the number of the source, the address it dialled where that was another host's, and the door it came to."""


class Answers:
    """Answers challenges under the target's key and remembers who came to which port. `starved`: somebody could not be
    met, because this agent had come to a limit of its own.
    """

    def __init__(self, key: bytes) -> None:
        self.starved = False
        self._key = key
        self._pairs: dict[int, bytes] = {}
        self._doors: dict[tuple[str, int, Transport], str] = {}
        # What is bound to this port, by family (IPv6 or not).
        self._alike: dict[tuple[bool, int, Transport], list[str]] = {}
        self._answered: _Book = {}
        self._foreign: _Book = {}
        self._arrivals: dict[tuple[_Door, int, str], None] = {}

    def share(self, bound: str, port: int, transport: Transport) -> None:
        """What arrives there may have been sent to one address of the inventory or another: receipts name none."""
        for alike in {*self._alike.get((":" in bound, port, transport), ()), bound}:
            self._doors[alike, port, transport] = ""

    def stand_for(self, bound: str, port: int, transport: Transport, address: str) -> None:
        """What arrives at this bound address was sent to that address of the inventory."""
        self._doors[bound, port, transport] = address
        self._alike.setdefault((":" in bound, port, transport), []).append(bound)

    def covers(self, bound: str, port: int, transport: Transport) -> bool:
        """Whether a stand-in of ours already meets what is sent to this address: bound to it, or one of the two to all
        addresses (what is translated on the way arrives at one of the host's own).
        """
        wide = ANY[":" in bound]
        if (bound, port, transport) in self._doors or (wide, port, transport) in self._doors:
            return True
        return bound == wide and (":" in bound, port, transport) in self._alike

    def answer(
        self, data: bytes, port: int, peer: tuple[str, int], local: str, transport: Transport = Transport.TCP
    ) -> bytes | None:
        """The answer to this challenge; None for a peer that does not know one, who gets nothing."""
        ask = read_ask(data)
        if ask is None:
            return None
        key = self._pair(ask.number)
        ours = is_ours(ask, key)
        door = self._door(local, port, transport)
        if ours:
            _note(self._answered, (ask.number, "", door), port)
        else:
            _note(self._foreign, (ask.number, ask.meant, door), port)
        return make_answer(key, ask.nonce, port, peer, local) if ours else None

    def bulk(self, data: bytes) -> int:
        """How many bytes follow this challenge and are wanted back; none from a peer that does not know it."""
        ask = read_ask(data)
        return ask.bulk if ask is not None and ask.bulk and is_ours(ask, self._pair(ask.number)) else 0

    def _pair(self, number: int) -> bytes:
        key = self._pairs.get(number)
        if key is None:
            key = pair_key(self._key, number)
            if len(self._pairs) < _MOST_SOURCES:
                self._pairs[number] = key
        return key

    def stranger(self, port: int, peer: str, local: str, transport: Transport = Transport.TCP) -> None:
        """Somebody reached the port and knew no challenge."""
        if len(self._arrivals) < _MOST_ARRIVALS:
            self._arrivals[self._door(local, port, transport), port, peer] = None

    def _door(self, local: str, port: int, transport: Transport) -> _Door:
        doors = self._doors
        address = doors.get((local, port, transport))
        if address is None:
            wide = ANY[":" in local]
            address = doors.get((wide, port, transport), local)
        return address, transport

    def receipts(self) -> tuple[Receipt, ...]:
        answered = (
            Receipt(number=number, address=door[0], transport=door[1], answered=str(PortSet.of(ports)))
            for (number, _, door), ports in sorted(self._answered.items())
        )
        foreign = (
            Receipt(number=number, address=door[0], transport=door[1], foreign=str(PortSet.of(ports)), meant=meant)
            for (number, meant, door), ports in sorted(self._foreign.items())
        )
        return (*answered, *foreign)

    def arrivals(self) -> tuple[Arrival, ...]:
        return tuple(
            Arrival(address=door[0], transport=door[1], port=port, peer=peer) for door, port, peer in self._arrivals
        )


def _note(book: _Book, key: tuple[int, str, _Door], port: int) -> None:
    ports = book.get(key)
    if ports is None:
        if len(book) >= _MOST_SOURCES:
            return
        ports = book[key] = set()
    ports.add(port)
