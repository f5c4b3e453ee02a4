"""Targets that are called by name, where one source has other addresses under these names than it should."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .harness import BOTH
from .lab import Lab, chain
from .situations import Row, Scene, UnderWay, listening, rows, servers, services, so, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from .harness import Portcheck
    from .situations import Situations

DECEIVED, RIGHT = "a1", "a2"
STRANGER = "x1"
"""No host of the inventory; every service runs there."""
NOBODY = {4: "10.77.9.99", 6: "fd77:9::99"}


class Name(NamedTuple):
    """The name of a target: where it leads on the deceived source, and what comes of it."""

    told: str
    target: str
    leads_to: str
    expected: str


ELSEWHERE = "mismatch dns"
NAMES_OF = {
    "b1.lab": Name("right", "b1", "b1", "pass"),
    "b2.lab": Name("to another target", "b2", "b1", ELSEWHERE),
    "b3.lab": Name("to a stranger", "b3", STRANGER, ELSEWHERE),
    "b4.lab": Name("to nobody", "b4", "nobody", ELSEWHERE),
    "a3.lab": Name("nowhere", "a3", "", ELSEWHERE),
    "mute.lab": Name("to who knows", "a3", "", "inconclusive timeout"),
}
TARGETS = {
    target: [name for name, told in NAMES_OF.items() if told.target == target]
    for target in dict.fromkeys(told.target for told in NAMES_OF.values())
}
PORTS: Situations = {
    "open": so("pass", only="tcp", listens="echo"),
    "open to datagrams": so("pass", only="udp", listens="udp-echo"),
    "open to HTTP": so("pass", protocol="http", listens="http"),
    "r drops for b1": so(
        "blocked network after r", 'r forward dport oifname "b1" drop', only="tcp", listens="echo"
    ),
}  # fmt: skip


def begin(phase: str, portcheck: Portcheck, stack: ExitStack) -> UnderWay:
    lab = stack.enter_context(Lab(DECEIVED, RIGHT, *TARGETS, STRANGER))
    for host in (STRANGER, *(TARGETS if phase == "live" else ())):
        lab.serve(host, *servers(PORTS))
    lab.serve(STRANGER, "udp-names 53")
    spoil(lab, PORTS)
    # As a router says of itself, but at once, and not only after it has looked for that address in vain.
    nobody = {"ip": (NOBODY[4], "icmp host-unreachable"), "ip6": (NOBODY[6], "icmpv6 addr-unreachable")}
    rules = (f"{word} daddr {address} reject with {error}" for word, (address, error) in nobody.items())
    lab.nft("r", chain("forward", *rules).replace("table inet lab", "table inet nobody"))
    folder = Path(tempfile.mkdtemp(dir=portcheck.folder))
    variables = {target: {"portcheck_address": ",".join(names)} for target, names in TARGETS.items()}
    for source in (DECEIVED, RIGHT):
        leads = {name: told.leads_to if source == DECEIVED else told.target for name, told in NAMES_OF.items()}
        variables[source] = {
            "portcheck_exec": f"{' '.join(lab.prefix(source))} {_resolving(lab, folder / source, leads)}"
        }
    roles = {**dict.fromkeys((DECEIVED, RIGHT), ("source",)), **dict.fromkeys(TARGETS, ("target",))}
    before = listening(lab)
    return UnderWay(lab, portcheck.start(lab, roles, services(PORTS), phase=phase, variables=variables), before)


def _resolving(lab: Lab, folder: Path, leads: Mapping[str, str]) -> str:
    """A command prefix under which names lead there. `ip netns exec` gives a command mounts of its own: what is laid
    over these files is seen by it alone.
    """
    hosts = [f"{_at(lab, to, family)} {name}\n" for name, to in leads.items() if to for family in BOTH]
    files = {
        "hosts": "".join(hosts),
        "nsswitch.conf": "hosts: files dns\n",
        "resolv.conf": f"nameserver {lab.address(STRANGER)}\n",
    }
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    mounts = (f"mount --bind {folder / name} /etc/{name}" for name in files)
    (folder / "resolving.sh").write_text(" && ".join((*mounts, 'exec "$@"\n')))
    return f"sh {folder / 'resolving.sh'}"


def _at(lab: Lab, host: str, family: int) -> str:
    return NOBODY[family] if host == "nobody" else lab.address(host, family)


def of_each_name(scene: str) -> Iterator[Row]:
    for name, told in NAMES_OF.items():
        for row in rows(f"{scene} {told.told}", PORTS):
            of_target = row._replace(target=told.target)
            # A name without an address is one row.
            if row.family == 4 or told.leads_to:
                expected = row.expected if told.expected == "pass" else told.expected
                yield of_target._replace(expected=expected, address=None if told.leads_to else name)
            yield of_target._replace(source=RIGHT, expected=row.expected if told.target == "b1" else "pass")


NAMES = Scene("names", partial(begin, "pre-install"), tuple(of_each_name("a name leads")))
NAMES_OF_SERVICES = Scene("names live", partial(begin, "live"), tuple(of_each_name("live, a name leads")))
