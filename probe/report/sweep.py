"""What a sweep from this machine found: the value that its three formats show, and the one for the terminal."""

from __future__ import annotations

import socket
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probe.model import icmp
from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.report.text import count, listed, name, percent, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from probe.model.swept import Rejection, Swept

_MOST_OPEN, _MOST_SENDERS = 100, 8
_MARGIN, _LABEL, _NUMBER = "  ", 15, 8
_STYLES = {
    State.OPEN: "32;1",
    State.CLOSED: "2",
    State.FILTERED: "33",
    State.REJECTED: "33",
    State.UNREACHABLE: "31",
    State.OPEN_FILTERED: "33",
    State.ERROR: "35",
}
_PACKETS = {Transport.TCP: "SYN", Transport.UDP: "datagram"}
_ENGINES = {"packet": "with raw packets", "connect": "with ordinary sockets"}


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """`name` is the address as it was asked for; `ports` those asked of each of the addresses that it stands for."""

    name: str
    ports: PortSet
    transport: Transport
    sweeps: tuple[Swept, ...]
    started: datetime
    finished: datetime
    seed: int
    version: str
    words: tuple[str, ...] = ()
    interrupted: bool = False
    gentle: bool = False
    """At the engine's own pace, not at one that somebody asked for."""


def ports_in(sweep: Swept, state: State) -> PortSet:
    text = sweep.states.get(state, "")
    return PortSet.parse(text) if text else PortSet()


def inconclusive(report: SweepReport) -> bool:
    """Whether something could not be measured: a port, or nothing at all could be asked."""
    return any(ports_in(sweep, State.ERROR) for sweep in report.sweeps) or not any(
        sweep.sent or sweep.answers or sweep.rejections for sweep in report.sweeps
    )


def service(port: int, transport: Transport) -> str:
    """As this machine's table of services calls it; empty where it has no name."""
    try:
        return socket.getservbyport(port, transport)
    except OSError:
        return ""


def render(report: SweepReport, *, width: int, color: bool) -> str:
    """As text that ends in a line feed. `width` in columns; below 60 it is taken as 60."""
    page = _Page(report, max(width, 60), color)
    return "\n".join(page.lines()) + "\n"


class _Page:
    def __init__(self, report: SweepReport, width: int, color: bool) -> None:
        self.report, self.width, self.color = report, width, color

    def lines(self) -> Iterator[str]:
        report = self.report
        if report.interrupted:
            yield from self.wrapped("interrupted: this is what was known by then", "", "35;1")
        for place, sweep in enumerate(report.sweeps):
            if place or report.interrupted:
                yield ""
            yield from self.sweep(sweep)

    def sweep(self, sweep: Swept) -> Iterator[str]:
        report = self.report
        opened = ports_in(sweep, State.OPEN)
        place = sweep.address if report.name == sweep.address else f"{name(report.name)} ({sweep.address})"
        total = f"{len(report.ports):,} {sweep.transport} port{'' if len(report.ports) == 1 else 's'}"
        said = "something answers on every port" if sweep.everything else f"{len(opened):,} of {total} open"
        yield from self.wrapped(f"{place}: {said}", "", "1")
        yield from self.how(sweep)
        if sweep.everything:
            yield ""
            yield from self.wrapped(_EVERYTHING)
        elif opened:
            yield ""
            yield from self.opened(sweep, opened)
        yield ""
        yield from self.states(sweep)
        notes = [note for note in _notes(sweep) if note != "interrupted"]  # the first line has said so
        if self.report.gentle and sweep.problem and not self.report.interrupted:
            notes.append(_GENTLE[sweep.engine])
        if notes:
            yield ""
        for note in notes:
            yield from self.wrapped(f"- {note}", "  ")

    def how(self, sweep: Swept) -> Iterator[str]:
        """What was sent, and how far the result can be trusted."""
        what = _PACKETS[sweep.transport]
        how = f"in {sweep.seconds:.1f} s {_ENGINES.get(sweep.engine, '')}".rstrip()
        yield from self.wrapped(f"{self.report.finished:%Y-%m-%d %H:%M:%S} UTC, {how}")
        pace = f", at most {sweep.pace:,.0f} a second" if sweep.pace >= 1 else ""
        yield from self.wrapped(
            f"{count(sweep.sent, what)} sent in {count(sweep.rounds, 'round')}{pace}; "
            f"{count(sweep.answers, 'answer')}; loss on the way {percent(sweep.loss)}; seed {self.report.seed}"
        )

    def opened(self, sweep: Swept, opened: PortSet) -> Iterator[str]:
        sometimes = PortSet.parse(sweep.sometimes) if sweep.sometimes else PortSet()
        yield self.styled(f"{_MARGIN}{'open':>7}  service", "1")
        for place, port in enumerate(opened):
            if place == _MOST_OPEN:
                yield f"{_MARGIN}      …  and {count(len(opened) - _MOST_OPEN, 'more open port')}: --json has all"
                return
            doubt = "  only sometimes" if port in sometimes else ""
            line = f"{port:>7}  {name(service(port, sweep.transport), 24)}{doubt}"
            yield _MARGIN + (self.styled(line, "32") if not doubt else line)

    def states(self, sweep: Swept) -> Iterator[str]:
        """Each state with its number and its ports, and who sent the ICMP errors behind it."""
        yield self.styled(f"{_MARGIN}{'state':<{_LABEL}}{'number':>{_NUMBER}}  ports", "1")
        for state in State:
            found = ports_in(sweep, state)
            if not found:
                continue
            yield from self.row(state.value, found, _STYLES[state])
            if state in (State.REJECTED, State.UNREACHABLE):
                yield from self.senders(sweep, found)

    def senders(self, sweep: Swept, found: PortSet) -> Iterator[str]:
        theirs = [(told, some) for told in sweep.rejections if (some := PortSet.parse(told.ports) & found)]
        for told, some in theirs[:_MOST_SENDERS]:
            margin = _MARGIN + "    "
            who = f"{by(told)}: "
            yield from (
                f"{margin}{line}" for line in textwrap.wrap(who + self.runs(some, 34), self.width - len(margin))
            )
        if len(theirs) > _MOST_SENDERS:
            yield f"{_MARGIN}    … and {len(theirs) - _MOST_SENDERS:,} more: --json has all"

    def row(self, label: str, ports: PortSet, style: str) -> Iterator[str]:
        head = f"{label:<{_LABEL}}{len(ports):>{_NUMBER},}"
        yield f"{_MARGIN}{self.styled(head, style)}  {self.runs(ports, len(_MARGIN) + len(head) + 2)}"

    def runs(self, ports: PortSet, taken: int) -> str:
        """The ports as ranges, as many as fit in a line behind so many columns, and how many more there are."""
        texts = str(ports).split(",")
        if len(",".join(texts)) <= self.width - taken:
            return ",".join(texts)
        shown, room = texts[:1], self.width - taken - len(texts[0]) - len(f", … ({len(texts):,} more)")
        for text in texts[1:]:
            room -= len(text) + 1
            if room < 0:
                break
            shown.append(text)
        return ",".join(shown) + f", … ({len(texts) - len(shown):,} more)"

    def wrapped(self, text: str, later: str = "", style: str = "") -> Iterator[str]:
        margin = "" if style else _MARGIN
        for place, line in enumerate(textwrap.wrap(text, self.width - len(margin) - len(later))):
            yield margin + (later if place else "") + self.styled(line, style)

    def styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and style and text.strip() else text


_GENTLE = {
    "packet": "This was the pace that a small firewall bears. --max-rate asks faster, --deadline gives it more time.",
    "connect": "Without raw packets nothing takes back what stays silent, and firewalls keep an entry for each, so few "
    "are asked at a time. --max-rate asks faster, --deadline gives it more time; with CAP_NET_RAW neither is needed.",
}
_EVERYTHING = (
    "Every port that was asked seems open, and so does one that nobody can have opened: a device on the way or the "
    "target itself (a SYN proxy, a honeypot, a transparent proxy) answers in the place of services. Which ones there "
    "are cannot be told from here."
)


def by(told: Rejection) -> str:
    """`by 10.0.0.254, ICMP admin-prohibited`."""
    if not told.sender:
        return "by this machine itself, before anything left it"
    return f"by {told.sender}, {icmp.named(told.type, told.code, ipv6=':' in told.sender)}"


def _notes(sweep: Swept) -> Iterator[str]:
    """What one must know to read the states right."""
    if sweep.problem:
        yield sentence(sweep.problem)
    if sweep.states.get(State.ERROR):
        yield f"error: {count(len(ports_in(sweep, State.ERROR)), 'port')} could not be settled."
    if sweep.states.get(State.FILTERED):
        chance = "less than one in a million" if sweep.residual < 1e-6 else f"one in {1 / sweep.residual:,.0f}"
        yield f"filtered: no answer. That such a port did answer and every answer was lost has a chance of {chance}."
    if sweep.states.get(State.OPEN_FILTERED):
        yield (
            "open|filtered: no answer. A service that does not know what it was asked keeps silent, and so does a "
            "firewall. From the target's side it can be told: portcheck run with an agent there."
        )
    if sweep.limited:
        limited = PortSet.parse(sweep.limited)
        word = "closed" if sweep.transport is Transport.UDP else "rejected"
        yield (
            f"Somebody limits the ICMP errors, so of the {count(len(limited), 'silent port')} any may be {word}."
            if len(limited) > 1
            else f"Somebody limits the ICMP errors, so port {limited} may be {word}."
        )
    if sweep.sometimes:
        ports = sweep.sometimes.split(",")
        yield f"Some ports answer only some of the time, more seldom than the way explains: {listed(ports, 20)}."
