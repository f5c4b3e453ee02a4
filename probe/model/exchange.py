"""What became of each packet between two ends: what one capture saw leave, beside what the other saw arrive. Pure."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.icmp import named
from probe.model.sight import Sight
from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from probe.model.account import Account

    _Key = Callable[[Sight], tuple[Any, ...]]

# So many seconds a packet may be on its way.
_SLOWEST = 1.0
# The same packet on a bridge or a bond and on the interface below passes within so many seconds.
_AT_ONCE = 0.01


class Fate(StrEnum):
    ARRIVED = "arrived"
    LOST = "lost"  # it left one end, and the other, which looked, did not see it
    BETWEEN = "between"  # it came to one end, and the other, which looked, had not sent it
    UNKNOWN = "unknown"  # nobody looked at the other end, or not surely


class Passage(msgspec.Struct, frozen=True):
    """One packet, or several in a row that fared alike. `here` is the first of them at the source, `there` at the
    target; None where it was not seen, but one of them is there. `forward`: away from the source.

    `at_source` and `at_target` are seconds after the beginning, by the source's clock; `until`: when the last set out.
    """

    forward: bool
    fate: Fate
    here: Sight | None = None
    there: Sight | None = None
    at_source: float | None = None
    at_target: float | None = None
    times: int = 1
    until: float = 0.0

    @property
    def seen(self) -> Sight:
        seen = self.here or self.there
        assert seen is not None  # noqa: S101  (what nobody saw is no passage)
        return seen

    @property
    def began(self) -> float:
        """When it set out, as far as that was seen."""
        first, second = (self.at_source, self.at_target) if self.forward else (self.at_target, self.at_source)
        return first if first is not None else second or 0.0

    @property
    def port(self) -> int:
        """The source's own, as translation left it where it was seen."""
        quotes = self.seen.icmp is not None  # a packet of the other direction
        return self.seen.source_port if self.forward is not quotes else self.seen.target_port


class Attempt(msgspec.Struct, frozen=True):
    """The packets of one port of the source's, in the order of events; `times`: so many in all fared alike."""

    port: int
    passages: tuple[Passage, ...]
    times: int = 1


class Exchange(msgspec.Struct, frozen=True):
    """In the order of events. `skew` is how many seconds the target's clock is ahead of the source's, 0 where the times
    of both fit together as they are.
    """

    attempts: tuple[Attempt, ...]
    skew: float = 0.0


def label(sight: Sight) -> str:
    """`SYN`, `SYN-ACK`, `data, 64 bytes`, `ICMP admin-prohibited from 10.0.0.1`."""
    if sight.icmp is not None:
        return f"{named(*sight.icmp, ipv6=':' in sight.source)} from {sight.sender}"
    if sight.transport is Transport.UDP:
        return f"datagram, {_bytes(sight.size)}"
    if "S" in sight.flags:
        return "SYN-ACK" if "A" in sight.flags else "SYN"
    if "R" in sight.flags:
        return "RST"
    if sight.size:
        return f"data, {_bytes(sight.size)}"
    return "FIN" if "F" in sight.flags else "ACK"


def exchange(account: Account) -> Exchange:
    """Lay both captures beside each other. Their clocks need not agree: packets that were seen at both ends say by how
    much they differ.
    """
    here, there = ((packets.sights if packets else ()) for packets in (account.source, account.target))
    key = _key(here, there)
    groups = [(True, _by_key(here, key, out=True), _by_key(there, key, out=False))]
    groups += [(False, _by_key(there, key, out=True), _by_key(here, key, out=False))]
    skew = _skew(groups)
    sure = [packets is not None and packets.sure for packets in (account.source, account.target)]
    found: list[tuple[bool, Sight | None, Sight | None]] = []
    for forward, left, came in groups:
        for one in left.keys() | came.keys():
            for first, second in _pairs(left.get(one, []), came.get(one, []), skew if forward else -skew):
                found.append((forward, first, second) if forward else (forward, second, first))
    start = min(_times(found, skew), default=0.0)
    passages = [_passage(*one, start, skew, sure) for one in found]
    passages.sort(key=lambda passage: (passage.began, not passage.forward))
    return Exchange(tuple(_attempts(passages)), skew)


def _bytes(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"


def _key(here: Sequence[Sight], there: Sequence[Sight]) -> _Key:
    """How a packet is known again. Translation leaves sequence numbers alone; a firewall that replaces those leaves the
    ports alone.
    """
    ours = {sight.seq for sight in here if sight.opens}
    by_sequence = any(sight.seq in ours for sight in there if sight.opens)

    def key(sight: Sight) -> tuple[Any, ...]:
        tcp = sight.transport is Transport.TCP
        # A refusal has no sequence number of its own: all of them would look alike.
        numbers = (sight.seq, sight.ack if "R" in sight.flags else 0)
        which = numbers if tcp and by_sequence else (sight.source_port, sight.target_port)
        return (sight.icmp, sight.sender, sight.flags, sight.size, *which)

    return key


def _by_key(sights: Sequence[Sight], key: _Key, *, out: bool) -> dict[tuple[Any, ...], list[Sight]]:
    """Those of one direction, each packet once."""
    groups: defaultdict[tuple[Any, ...], list[Sight]] = defaultdict(list)
    for sight in sights:
        if sight.out is not out:
            continue
        same = groups[key(sight)]
        if not same or same[-1].interface == sight.interface or sight.at - same[-1].at > _AT_ONCE:
            same.append(sight)
    return groups


def _skew(groups: Iterable[tuple[bool, dict[Any, list[Sight]], dict[Any, list[Sight]]]]) -> float:
    """0 where the clocks as they are make sense: nothing arrives before it left, or takes very long. Else what makes
    the quickest packets of both directions equally quick, or those of the only direction arrive at once.
    """
    least: dict[bool, float] = {}
    for forward, left, came in groups:
        shared = [key for key in left if key in came]
        whole = [key for key in shared if len(left[key]) == len(came[key])]
        if whole:
            least[forward] = min(
                two.at - one.at for key in whole for one, two in zip(left[key], came[key], strict=True)
            )
        elif shared:
            # Which of these arrived is not known: the one that the clocks like best.
            differences = (came[key][0].at - one.at for key in shared for one in left[key])
            least[forward] = min(differences, key=abs)
    if all(0 <= difference < _SLOWEST for difference in least.values()):
        return 0.0
    ahead = [difference if forward else -difference for forward, difference in least.items()]
    return sum(ahead) / len(ahead)


def _pairs(left: Sequence[Sight], came: Sequence[Sight], ahead: float) -> Iterator[tuple[Sight | None, Sight | None]]:
    """Equal packets, in the order of their times. Where fewer came than left, each arrival is of the last that had left
    by then.
    """
    number = 0
    for place, arrival in enumerate(came):
        while (
            len(left) - number > len(came) - place and left[number + 1].at <= arrival.at - ahead + _AT_ONCE / 10
        ):  # the clocks are known to about a tenth of that
            yield left[number], None
            number += 1
        yield (left[number] if number < len(left) else None), arrival
        number += 1
    for departure in left[number:]:
        yield departure, None


def _times(found: Iterable[tuple[bool, Sight | None, Sight | None]], skew: float) -> Iterator[float]:
    for _, here, there in found:
        if here is not None:
            yield here.at
        elif there is not None:
            yield there.at - skew


def _passage(
    forward: bool, here: Sight | None, there: Sight | None, start: float, skew: float, sure: Sequence[bool]
) -> Passage:
    at_source = here.at - start if here is not None else None
    at_target = there.at - skew - start if there is not None else None
    if here is not None and there is not None:
        fate = Fate.ARRIVED
    elif not sure[1 if here is not None else 0]:
        fate = Fate.UNKNOWN
    else:
        fate = Fate.LOST if (here is not None) is forward else Fate.BETWEEN
    made = Passage(forward, fate, here, there, at_source, at_target)
    return msgspec.structs.replace(made, until=made.began)


def _attempts(passages: Iterable[Passage]) -> Iterator[Attempt]:
    by_port: dict[int, list[Passage]] = {}
    for passage in passages:
        by_port.setdefault(passage.port, []).append(passage)
    alike: dict[object, list[Attempt]] = {}
    for port, found in by_port.items():
        attempt = Attempt(port, tuple(_collapsed(found)))
        fared = tuple((*_fared(passage), passage.times) for passage in attempt.passages)
        alike.setdefault(fared, []).append(attempt)
    for first, *others in alike.values():
        yield msgspec.structs.replace(first, times=1 + len(others))


def _collapsed(passages: Iterable[Passage]) -> Iterator[Passage]:
    last: Passage | None = None
    for passage in passages:
        if last is not None and _fared(last) == _fared(passage):
            last = msgspec.structs.replace(last, times=last.times + 1, until=passage.until)
            continue
        if last is not None:
            yield last
        last = passage
    if last is not None:
        yield last


def _fared(passage: Passage) -> tuple[object, ...]:
    ttls = tuple(sight.ttl if sight is not None else None for sight in (passage.here, passage.there))
    return passage.forward, passage.fate, label(passage.seen), *ttls
