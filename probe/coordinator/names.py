"""Where the names of targets lead. A name may have another address on each source: the target's own, one that is
translated on the way, or somebody else's. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probe.model.observation import Proof
from probe.model.words import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from probe.coordinator.pieces import Piece
    from probe.model.check import Check
    from probe.model.words import Zone

# What somebody at that address said, or a router of it. Silence says nothing of whose it is, and a rejection is a
# firewall's, which may stand before a translated address.
_TELLING = frozenset({State.OPEN, State.CLOSED, State.UNREACHABLE})


class Names:
    """`carried`: the addresses of each host that its agent told. `note` everything first."""

    def __init__(self, carried: Mapping[str, AbstractSet[str]], zone: Callable[[str], Zone]) -> None:
        self._carried = carried
        self._zone = zone
        self._host_of = {address: host for host, addresses in carried.items() for address in addresses}
        # Where the target itself was met: by target, name, family and zone of the source, with a source that was there.
        self._right: dict[tuple[str, str, int, Zone], tuple[str, str]] = {}
        # Target and address, where that is its own or it answered there; source and address, where somebody spoke.
        self._met: set[tuple[str, str]] = set()
        self._spoke: set[tuple[str, str]] = set()

    def note(self, check: Check, piece: Piece) -> None:
        version = _version(piece.address)
        if version is None or piece.seen is None or _version(check.address) is not None:
            return
        if piece.seen.proof is Proof.KEYED or piece.address in self._carried.get(check.target, ()):
            key = (check.target, check.address, version, self._zone(check.source))
            self._right.setdefault(key, (check.source, piece.address))
            self._met.add((check.target, piece.address))
        elif piece.seen.state in _TELLING:
            self._spoke.add((check.source, piece.address))

    def astray(self, check: Check, piece: Piece) -> str:
        """Whose address it is that the name has on the source, where that is not the target's; else empty.

        An address that no host of the run carries may be translated to the target on the way. That it leads elsewhere
        is known where something there spoke on one port or another, on none of them the target, while another source of
        the same zone has an address that is the target's.
        """
        own, version = self._carried.get(check.target), _version(piece.address)
        if not own or version is None or _version(check.address) is not None or piece.seen is None:
            return ""
        if piece.address in own or (check.target, piece.address) in self._met:
            return ""
        if host := self._host_of.get(piece.address):
            return f"{piece.address} is an address of {host}"
        right = self._right.get((check.target, check.address, version, self._zone(check.source)))
        if right is None or (check.source, piece.address) not in self._spoke:
            return ""
        source, address = right
        return f"{piece.address} is no address of {check.target}, and {source} has {address}"


@lru_cache(maxsize=4096)
def _version(address: str) -> int | None:
    """None for a name."""
    try:
        return ip_address(address.partition("%")[0]).version
    except ValueError:
        return None
