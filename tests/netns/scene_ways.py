"""The same network, where packets take several ways: side by side, or there by one and back by the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .routers import SHARED, Routers, at, on
from .scene_way import A1
from .situations import DETOUR, REJECT, Row, Scene, UnderWay, rows, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

WAYS: Situations = {
    "open": so("pass"),
    "r3 drops": so("", "r3 forward dport drop"),
    "r3 rejects": so("", f"r3 forward dport {REJECT}"),
    "r2 drops answers": so("blocked return-path", "r2 forward sport drop"),
    "b1 drops": so("blocked target-firewall at b1", "b1 input dport drop"),
}
# One of two next hops drops a single port: whoever comes by the other passes, and nothing hints at it. That a next hop
# is bad for all that comes by it is found (test_next_hops.py).
EITHER = {"r3 drops": "pass|blocked network after r3", "r3 rejects": "pass|blocked network at r3"}
DETOURED = {"r3 drops": "blocked network after r3", "r3 rejects": "blocked network at r3"}


def begin(portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Routers())
    for family, bits in ((4, 32), (6, 128)):
        address = f"{on(6, DETOUR, family)}/{bits}"
        lab.ip("b1", f"addr add {address} dev r4 preferred_lft 0")
        lab.ip("r1", f"route add {address} via {at('r3', 'r1', family)}")
        lab.ip("r3", f"route add {address} via {at('r4', 'r3', family)}")
    spoil(lab, WAYS)
    addresses = ",".join(on(6, last, family) for last in (SHARED, DETOUR) for family in BOTH)
    variables = {"a1": A1, "b1": {"portcheck_address": addresses}}
    return UnderWay(lab, portcheck.start(lab, pair(), services(WAYS), variables=variables))


def of_each_address() -> Iterator[Row]:
    for last, name, expected in ((SHARED, "either way", EITHER), (DETOUR, "back another way", DETOURED)):
        for row in rows(name, WAYS):
            wanted = expected.get(row.name, row.expected)
            yield row._replace(expected=wanted, address=on(6, last, row.family))


SEVERAL_WAYS = Scene("ways", begin, tuple(of_each_address()))
