"""Before the installation, over two routers in a row: each device on the way with a fault of its own, and two at once.
Of two faults the first on the way wins.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .harness import BOTH, pair
from .routers import SINGLE, Routers, at, on
from .situations import REJECT, RESET, Scene, UnderWay, rows, services, so, spoil

if TYPE_CHECKING:
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

PLACES: Situations = {
    "open": so("pass"),
    "a1 drops": so("blocked source-firewall at a1", "a1 output dport drop"),
    "a1 rejects": so("blocked source-firewall at a1", f"a1 output dport {REJECT}"),
    "a1 resets": so("blocked source-firewall at a1", f"a1 output dport {RESET}"),
    "r1 drops": so("blocked network after r1", "r1 forward dport drop"),
    "r2 drops": so("blocked network after r2", "r2 forward dport drop"),
    "r2 drops before it routes": so("blocked network after r1", "r2 early dport drop"),
    "r2 rejects": so("blocked network at r2", f"r2 forward dport {REJECT}"),
    "r2 resets": so("blocked network after r2", f"r2 forward dport {RESET}"),
    "r4 drops": so("blocked network after r4", "r4 forward dport drop"),
    "r4 rejects": so("blocked network at r4", f"r4 forward dport {REJECT}"),
    "r4 resets": so("blocked network after r4", f"r4 forward dport {RESET}"),
    "b1 drops": so("blocked target-firewall at b1", "b1 input dport drop"),
    "b1 rejects": so("blocked target-firewall at b1", f"b1 input dport {REJECT}"),
    "b1 resets": so("blocked target-firewall at b1", f"b1 input dport {RESET}"),
    "b1 drops its answers": so("blocked target-firewall at b1", "b1 output sport drop"),
    "r4 drops answers": so("blocked return-path", "r4 forward sport drop"),
    "r1 drops answers": so("blocked return-path", "r1 forward sport drop"),
    "r2 rejects answers": so("blocked return-path", f"r2 forward sport {REJECT}"),
    "a1 drops answers": so("blocked source-firewall at a1", "a1 input sport drop"),
    "r2 drops data": so("blocked payload", "r2 forward dport tcp flags & psh == psh drop"),
}
TWO: Situations = {
    "a1 and r2 drop": so("blocked source-firewall at a1", "a1 output dport drop", "r2 forward dport drop"),
    "r1 and r4 drop": so("blocked network after r1", "r1 forward dport drop", "r4 forward dport drop"),
    "r2 and b1 drop": so("blocked network after r2", "r2 forward dport drop", "b1 input dport drop"),
    "r2 rejects and b1 drops": so("blocked network at r2", f"r2 forward dport {REJECT}", "b1 input dport drop"),
    "r2 drops and b1 rejects": so("blocked network after r2", "r2 forward dport drop", f"b1 input dport {REJECT}"),
    "r4 resets and r1 drops answers": so(
        "blocked network after r4", f"r4 forward dport {RESET}", "r1 forward sport drop"
    ),
    "b1 drops and r1 drops answers": so(
        "blocked target-firewall at b1", "b1 input dport drop", "r1 forward sport drop"
    ),
    "b1 resets and r1 drops answers": so(
        "blocked target-firewall at b1", f"b1 input dport {RESET}", "r1 forward sport drop"
    ),
    "r4 and a1 drop answers": so("blocked return-path", "r4 forward sport drop", "a1 input sport drop"),
    "r2 drops every tenth": so("pass", "r2 forward dport numgen inc mod 10 == 0 drop"),
    # Both are at fault; by chance r2 may have dropped each of the fresh attempts.
    "r2 drops every second and b1 drops": so(
        "blocked target-firewall at b1|blocked network after r2",
        "r2 forward dport numgen random mod 2 == 0 drop",
        "b1 input dport drop",
    ),
    "r4 translates": so("pass", "r4 late dport masquerade"),
    "r4 translates and b1 drops": so(
        "blocked target-firewall at b1", "r4 late dport masquerade", "b1 input dport drop"
    ),
    "r4 translates and b1 resets": so(
        "blocked target-firewall at b1", "r4 late dport masquerade", f"b1 input dport {RESET}"
    ),
    "r4 translates and r2 drops answers": so(
        "blocked return-path", "r4 late dport masquerade", "r2 forward sport drop"
    ),
    "r4 translates ports and b1 drops": so(
        "blocked target-firewall at b1", "r4 late dport masquerade random", "b1 input dport drop", only="tcp"
    ),
    # Behind other addresses and other ports a datagram cannot be known again: nobody is accused.
    "r4 translates datagrams and b1 drops": so(
        "blocked", "r4 late dport masquerade random", "b1 input dport drop", only="udp"
    ),
}
A1 = {"portcheck_address": ",".join(at("a1", "r1", family) for family in BOTH)}
B1 = {"portcheck_address": ",".join(on(6, SINGLE, family) for family in BOTH)}


def begin(situations: Situations, portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Routers())
    spoil(lab, situations)
    return UnderWay(lab, portcheck.start(lab, pair(), services(situations), variables={"a1": A1, "b1": B1}))


ONE_FAULT = Scene("places", partial(begin, PLACES), tuple(rows("places", PLACES)))
TWO_FAULTS = Scene("combined", partial(begin, TWO), tuple(rows("combined", TWO)))
