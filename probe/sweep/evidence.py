"""What a sweep knows of one target: which attempts were made, which were answered, and what that says of loss. Pure.

An attempt has a port and a slot: each round has one slot, and leaves from source ports of its own, so that an answer
names its attempt however late it comes. Answers are of two kinds, because devices limit the one and not the other: the
target's own word (SYN-ACK, RST, a datagram), and ICMP errors.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.sweep.belief import Round, believed, chance, loss, residual, summed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping

SLOTS = 32
# Codes of a port. From _REFUSED on: which of `_refusals` it was.
_UNASKED, _SILENT, _UNSENT, OPEN, CLOSED, _REFUSED = range(6)
# Of different ICMP errors and senders; a flood of forged ones must not grow without end.
_MOST_REFUSALS = 200
# From so many ports on an array is smaller than a mapping.
MANY = 2048
# So few ports would have missed as many attempts by the path's loss: below it the port itself is fickle.
_CHANCE = 0.01
# From so many attempts at known ports on, a round's own loss counts there.
_TELLING = 100


class Refused(NamedTuple):
    """An ICMP error; or, with no sender and 0, 0, this host's own rules, which did not let the packet leave."""

    state: State
    sender: str
    type: int
    code: int


OWN_RULES = Refused(State.REJECTED, "", 0, 0)


class Evidence:
    """`ports`: those asked for. Others may be asked too, as controls; they are in no result."""

    def __init__(self, ports: PortSet, transport: Transport) -> None:
        self.ports = ports
        self.silent = array("H", ports)
        self.answers = 0
        self.answered_ports = 0
        self.changed: set[int] = set()
        self.known = 0
        """Ports that gave the target's own word."""
        self.rounds: list[Round] = []
        self.refusal_rounds: list[Round] = []
        self._whole: list[int] = []
        self._open = [0] * SLOTS
        self._is_tcp = transport is Transport.TCP
        self._refusals: list[Refused] = []
        self._state: MutableMapping[int, int] | bytearray
        self._asked: MutableMapping[int, int] | array[int]
        self._answered: MutableMapping[int, int] | array[int]
        if len(ports) >= MANY:
            self._state = bytearray(1 << 16)
            self._asked, self._answered = array("I", bytes(4 << 16)), array("I", bytes(4 << 16))
        else:
            self._state, self._asked, self._answered = defaultdict(int), defaultdict(int), defaultdict(int)

    def begin(self, *, whole: bool) -> int:
        """A new round's slot; `whole`: it asks all that is silent."""
        self.rounds.append(Round())
        self.refusal_rounds.append(Round())
        if whole:
            self._whole.append(len(self.rounds) - 1)
        return len(self.rounds) - 1

    @property
    def slots_left(self) -> int:
        return SLOTS - len(self.rounds)

    def ask(self, ports: Iterable[int], slot: int) -> None:
        """Attempts that are about to leave. At ports that are known to answer they count as missed until answered."""
        bit, state, asked = 1 << slot, self._state, self._asked
        own, refused = self.rounds[slot], self.refusal_rounds[slot]
        count = 0
        for port in ports:
            asked[port] |= bit
            count += 1
            code = state[port]
            if code <= _UNSENT:
                state[port] = _SILENT
            elif self._is_own(code):
                own.misses += 1
            else:
                refused.misses += 1
        self._open[slot] += count

    def unsent(self, port: int, slot: int, *, refused: bool = False) -> None:
        """The attempt did not leave after all; `refused`: by this host's own rules."""
        self._asked[port] &= ~(1 << slot)
        self._open[slot] -= 1
        code = self._state[port]
        if code >= OPEN:
            (self.rounds if self._is_own(code) else self.refusal_rounds)[slot].misses -= 1
        elif not self._asked[port]:
            self._state[port] = _UNSENT if refused else _UNASKED

    def answer(self, port: int, slot: int, code: int) -> bool:
        """An answer to that attempt; False if there was none, or it has been answered before."""
        bit = 1 << slot
        asked = self._asked[port]
        old = self._state[port]
        if asked == bit and old == _SILENT and code < _REFUSED and self._is_tcp:
            # The first attempt's first answer: of nearly all ports that is all there ever is.
            self._state[port] = code
            self._answered[port] = bit
            self._open[slot] -= 1
            self.answers += 1
            self.rounds[slot].hits += 1
            self.known += 1
            self.answered_ports += 1
            return True
        if not asked & bit:
            return False
        if self._answered[port] & bit:
            self._change(port, old, code)
            return False
        self._answered[port] |= bit
        self._open[slot] -= 1
        self.answers += 1
        own = self._is_own(code)
        rounds = self.rounds if own else self.refusal_rounds
        rounds[slot].hits += 1
        if old < OPEN:
            self._state[port] = code
            self.known += own
            self.answered_ports += 1
            asked ^= bit
            while asked:
                lowest = asked & -asked
                rounds[lowest.bit_length() - 1].misses += 1
                asked ^= lowest
        else:
            (self.rounds if self._is_own(old) else self.refusal_rounds)[slot].misses -= 1
            self._change(port, old, code)
        return True

    def refused(self, what: Refused) -> int:
        """The code for it; of very many senders the last remain unnamed."""
        if what not in self._refusals:
            if len(self._refusals) >= _MOST_REFUSALS:
                what = Refused(what.state, "", what.type, 0)
            if what not in self._refusals:
                self._refusals.append(what)
        return _REFUSED + self._refusals.index(what)

    def outstanding(self, slot: int) -> int:
        """Attempts of that slot that wait for an answer."""
        return self._open[slot]

    def answered(self, port: int, slot: int) -> bool:
        return bool(self._answered[port] >> slot & 1)

    def still_silent(self) -> array[int]:
        """The ports asked for that nobody answered for yet."""
        state = self._state
        self.silent = array("H", [port for port in self.silent if state[port] < OPEN])
        return self.silent

    def open(self) -> list[int]:
        return [port for code, low, high in self._runs() if code == OPEN for port in range(low, high + 1)]

    def is_open(self, port: int) -> bool:
        return self._state[port] == OPEN

    def canaries(self, own: int, refused: int) -> list[int]:
        """Ports known to answer, to be asked again: at most so many of the target's word, so many of ICMP's. Closed
        ones first, so that services are left alone; spread over all that there are.
        """
        closed, opened, refusing = _Span(), _Span(), _Span()
        for code, low, high in self._runs():
            if code >= OPEN:
                (opened if code == OPEN else closed if self._is_own(code) else refusing).add(low, high)
        chosen = closed.spread(own)
        return [*chosen, *opened.spread(own - len(chosen)), *refusing.spread(refused)]

    def spread_unreachable(self) -> bool:
        """Where all that anybody said is that the host cannot be reached, that holds for silent ports too: such an
        error is about the host (RFC 1812, 5.2.7.1), and only limits kept it from being repeated for each port. Returns
        whether it is so.
        """
        said = {code for code, _, _ in self._runs() if code >= OPEN}
        if not said or any(self._named(code, State.ERROR) is not State.UNREACHABLE for code in said):
            return False
        for port in self.silent:
            self._state[port] = min(said)
        return True

    # What it amounts to.

    @property
    def loss(self) -> float:
        return loss(self._trusted())

    @property
    def residual(self) -> float:
        rounds = self._trusted()
        return residual([rounds[slot] for slot in self._whole])

    @property
    def is_believed(self) -> bool:
        """Whether what is silent may be called so."""
        rounds = self._trusted()
        known = self.known if rounds is self.rounds else self.known + self._refused_ports()
        return bool(self._whole) and believed([rounds[slot] for slot in self._whole], known)

    def round_loss(self, slot: int) -> float:
        return self._trusted()[slot].loss

    def is_deaf(self, slot: int) -> bool:
        """Whether nobody answered in that round, though ports that are known to answer were asked."""
        return self.rounds[slot].misses > 0 and not self.rounds[slot].hits

    @property
    def is_limited(self) -> bool:
        """Whether somebody limits the ICMP errors: more of them stay away than the path loses of the target's own."""
        hits, misses = sum(each.hits for each in self.refusal_rounds), sum(each.misses for each in self.refusal_rounds)
        if misses < 3:
            return False
        # Without the target's own word beside them, three in ten lost is taken for a limit, not for the path.
        return misses / (hits + misses) > 0.3 + 2 * loss(self.rounds)

    def fickle(self) -> list[int]:
        """Ports that answered some attempts and left others unanswered, more than the path's loss explains; or that
        gave different answers.
        """
        found = {port for port, surprise in self._missing() if surprise < _CHANCE} | self.changed
        return sorted(port for port in found if port in self.ports)

    def doubtful(self, most: int) -> list[int]:
        """Ports that may be fickle: worth asking again. The few that missed anything, or those that missed most."""
        missing = sorted(self._missing(), key=lambda pair: pair[1])
        return [port for port, surprise in missing[:most] if len(missing) <= most or surprise < 1]

    def _missing(self) -> list[tuple[int, float]]:
        """Ports that left attempts unanswered, and how many of those known would have missed as much by chance."""
        if not any(each.misses for each in self.rounds):
            return []
        # The worst of the rounds that say something; the few fickle ports must not excuse each other in small ones.
        telling = [each for each in self.rounds if each.hits + each.misses >= _TELLING]
        loss = max(each.loss for each in telling or [summed(self.rounds)])
        state, asked, answered = self._state, self._asked, self._answered
        surprises: dict[tuple[int, int], float] = {}
        found = []
        for port in self.ports:
            if asked[port] == answered[port] or state[port] < OPEN or not self._is_own(state[port]):
                continue
            counts = (asked[port] & ~answered[port]).bit_count(), asked[port].bit_count()
            if counts not in surprises:
                surprises[counts] = chance(*counts, loss) * self.known
            found.append((port, surprises[counts]))
        return found

    def states(self, silence: State) -> dict[State, str]:
        """Each port asked for, with silence under this name."""
        by_state: dict[State, list[tuple[int, int]]] = defaultdict(list)
        for code, low, high in self._runs():
            by_state[self._named(code, silence)].append((low, high))
        return {state: str(PortSet(ranges)) for state, ranges in by_state.items()}

    def refusals(self) -> list[tuple[Refused, str]]:
        by_code: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for code, low, high in self._runs():
            if code == _UNSENT or code >= _REFUSED:
                by_code[code].append((low, high))
        return [
            (OWN_RULES if code == _UNSENT else self._refusals[code - _REFUSED], str(PortSet(ranges)))
            for code, ranges in sorted(by_code.items())
        ]

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Code, first and last of ports beside each other."""
        for low, high in self.ports.ranges:
            start = low
            for code, group in groupby(range(low, high + 1), self._state.__getitem__):
                end = start + len(list(group))
                yield code, start, end - 1
                start = end

    def _named(self, code: int, silence: State) -> State:
        match code:
            case 0 | 1:
                return silence if code == _SILENT else State.ERROR
            case 2:
                return State.REJECTED
            case 3:
                return State.OPEN
            case 4:
                return State.CLOSED
            case _:
                return self._refusals[code - _REFUSED].state

    def _is_own(self, code: int) -> bool:
        """A closed UDP port is told by ICMP."""
        return code == OPEN or (code == CLOSED and self._is_tcp)

    def _change(self, port: int, old: int, code: int) -> None:
        """The last certain answer holds. Which of two devices refuses is no change."""
        if old == code:
            return
        if self._named(old, State.ERROR) is not self._named(code, State.ERROR):
            self.changed.add(port)
        self._state[port] = code

    def _trusted(self) -> list[Round]:
        """The rounds by what tells loss from a limit: all answers, unless ICMP errors are limited."""
        if self.is_limited:
            return self.rounds
        return [summed(pair) for pair in zip(self.rounds, self.refusal_rounds, strict=True)]

    def _refused_ports(self) -> int:
        return sum(each.hits for each in self.refusal_rounds)


class _Span:
    """Ranges of ports, in order."""

    def __init__(self) -> None:
        self._ranges: list[range] = []

    def add(self, low: int, high: int) -> None:
        self._ranges.append(range(low, high + 1))

    def spread(self, most: int) -> list[int]:
        """At most so many of the ports, at even distances."""
        step = max(1, -(-sum(map(len, self._ranges)) // most)) if most > 0 else 0
        return list(islice(chain.from_iterable(self._ranges), 0, None, step)) if step else []
