"""What is known of a check so far: its ports in pieces, each with the target's view and, once it came, the source's
observation.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from probe.model.ends import Ends
from probe.model.observation import Observation, TargetView
from probe.model.path import Path
from probe.model.ports import PortError, PortSet
from probe.wire.frames import WireError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from probe.model.check import Check
    from probe.wire.messages import Outcome


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is the one dialled, or the check's own where nothing was. `ends` and `path` are the diagnosis of what
    failed; `large` says of what passed whether large data does, None where nobody asked; `doubtful`, that it
    worked and the target did not see it come in; `decoy`, that at this address a port accepted where nothing listens.
    """

    ports: PortSet
    view: TargetView
    address: str
    seen: Observation | None = None
    elapsed_ms: float | None = None
    rtt_ms: float | None = None
    ends: Ends | None = None
    path: Path | None = None
    large: bool | None = None
    doubtful: bool = False
    decoy: bool = False


class Errand:
    """One aim under way: the ports of a check with one view. Takes outcomes, each port of an address once; anything
    else is not ours. `followers` want some of the same attempts for another check, and get what this one takes.
    """

    def __init__(self, check: Check, ports: PortSet, view: TargetView) -> None:
        self.check = check
        self.ports = ports
        self.view = view
        self.pieces: list[Piece] = []
        self.followers: list[Errand] = []
        self._done: dict[str, PortSet] = {}

    @property
    def kind(self) -> Hashable:
        """Two errands of one kind make the same attempts."""
        check = self.check
        asked = (check.target, check.address, check.transport, check.protocol, check.path, check.http, check.tls)
        return (*asked, check.dialogue, check.expect, check.same_host, check.shares_ports, self.view)

    def take(self, outcome: Outcome) -> int:
        """Returns how many ports this settles; raises WireError."""
        try:
            ports = PortSet.parse(outcome.ports)
        except PortError as error:
            raise WireError(f"an outcome names no ports: {error}") from None
        done = self._done.get(outcome.address, PortSet())
        if not _plausible(outcome.address, self.check.address):
            raise WireError("an outcome for an address that was not ordered")
        if ports - self.ports or ports & done or len(self._done) > 64:
            raise WireError("an outcome for ports that were not ordered, or twice for one")
        for errand in (self, *self.followers):
            errand._keep(ports & errand.ports, outcome)  # noqa: SLF001  (one of us)
        return len(ports)

    def _keep(self, ports: PortSet, outcome: Outcome) -> None:
        if not ports:
            return
        self._done[outcome.address] = self._done.get(outcome.address, PortSet()) | ports
        self.pieces.append(
            Piece(
                ports=ports,
                view=self.view,
                address=outcome.address,
                seen=outcome.seen,
                elapsed_ms=outcome.elapsed_ms,
                rtt_ms=outcome.rtt_ms,
            )
        )

    def replace(self, piece: Piece, pieces: Iterable[Piece]) -> None:
        """Followers share what became of a piece."""
        made = list(pieces)
        at = self.pieces.index(piece)
        self.pieces[at : at + 1] = made
        for follower in self.followers:
            for other in [own for own in follower.pieces if own.seen is piece.seen and own.ports & piece.ports]:
                parts = [(one, one.ports & other.ports) for one in made]
                follower.replace(other, [msgspec.structs.replace(one, ports=ports) for one, ports in parts if ports])

    def finish(self) -> list[Piece]:
        """All pieces, those without an observation last."""
        left = self.ports
        for done in self._done.values():
            left -= done
        if left:
            self.pieces.append(Piece(ports=left, view=self.view, address=self.check.address))
        return self.pieces


def share(errands: Iterable[Errand]) -> tuple[list[Errand], list[Errand]]:
    """The errands to run, in their order, and those that follow one of them: rows of a matrix may well ask for the same
    ports (all of them, and some for a purpose), and each is tried once.
    """
    alike: dict[Hashable, list[Errand]] = {}
    for errand in errands:
        alike.setdefault(errand.kind, []).append(errand)
    leaders: list[Errand] = []
    followers: list[Errand] = []
    for group in alike.values():
        running: list[Errand] = []
        # The largest first: the others then follow it.
        for errand in sorted(group, key=lambda errand: -len(errand.ports)) if len(group) > 1 else group:
            left = errand.ports
            for leader in running:
                if shared := left & leader.ports:
                    followers.append(Errand(errand.check, shared, errand.view))
                    leader.followers.append(followers[-1])
                    left -= shared
            if left:
                running.append(errand if left == errand.ports else Errand(errand.check, left, errand.view))
        leaders += running
    return leaders, followers


def _plausible(dialled: str, ordered: str) -> bool:
    """The address that was ordered, or a numeric one where that is a name."""
    if dialled == ordered:
        return True
    try:
        ip_address(dialled.partition("%")[0])
    except ValueError:
        return False
    try:
        ip_address(ordered.partition("%")[0])
    except ValueError:
        return True
    return False
