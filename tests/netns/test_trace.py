"""The path trace, unprivileged: where packets stop, who refuses them, which ways they take.

All traces run at once in one process on `a1`. Each of its addresses stands for a way that routers treat ICMP errors to
it: as it should be, not sent by `r2` and `r3`, rationed.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.model.observation import Failure
from probe.model.path import Hop, Path, Way

from .lab import chain, command
from .routers import CIRCLE, NOWHERE, PLAIN, RATIONED, ROUTERS, SHARED, SINGLE, UNANSWERED, Routers, at, on

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 0.3
"""The timeout of one attempt."""

DRIVER = """
import asyncio, json, sys
from pathlib import Path
import msgspec
from probe.model.words import Transport
from probe.probes.trace import trace

async def one(name, address, transport, port, chances, more):
    for _ in range(chances):
        path = await trace(address, Transport(transport), port, payload=b"?", **more)
        if len(path.ways) > 1:
            break
    print(name, msgspec.json.encode(path).decode())

async def main():
    assert "CapEff:\\t0000000000000000" in Path("/proc/self/status").read_text()
    async with asyncio.TaskGroup() as group:
        for asked in json.load(sys.stdin):
            group.create_task(one(*asked))

asyncio.run(main())
"""
# Root without any capability is an ordinary user, inside `unshare -Urmn` too.
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


KINDS = {
    4: {
        "net-unreachable": (3, 0),
        "host-unreachable": (3, 1),
        "prot-unreachable": (3, 2),
        "port-unreachable": (3, 3),
        "net-prohibited": (3, 9),
        "host-prohibited": (3, 10),
        "admin-prohibited": (3, 13),
    },
    6: {
        "no-route": (1, 0),
        "admin-prohibited": (1, 1),
        "addr-unreachable": (1, 3),
        "port-unreachable": (1, 4),
        "policy-fail": (1, 5),
        "reject-route": (1, 6),
    },
}
REFUSED = 6000
"""The first of the ports that are rejected, one for each kind."""
CASES = {
    # name: transport, port, treatment of the source's address, way to the target
    "open": ("tcp", 5000, PLAIN, SINGLE),
    "closed": ("tcp", 5001, PLAIN, SINGLE),
    "drop-prerouting-r2": ("tcp", 5002, PLAIN, SINGLE),
    "drop-forward-r2": ("tcp", 5003, PLAIN, SINGLE),
    "drop-forward-r4": ("tcp", 5004, PLAIN, SINGLE),
    "drop-input-b1": ("tcp", 5005, PLAIN, SINGLE),
    "drop-output-a1": ("tcp", 5006, PLAIN, SINGLE),
    "reset-r2": ("tcp", 5007, PLAIN, SINGLE),
    "reset-r4": ("tcp", 5008, PLAIN, SINGLE),
    "reject-b1": ("tcp", 5009, PLAIN, SINGLE),
    "reject-a1": ("tcp", 5010, PLAIN, SINGLE),
    "udp-open": ("udp", 5000, PLAIN, SINGLE),
    "udp-closed": ("udp", 5001, PLAIN, SINGLE),
    "udp-drop-forward-r2": ("udp", 5003, PLAIN, SINGLE),
    "udp-drop-input-b1": ("udp", 5005, PLAIN, SINGLE),
    "udp-drop-output-a1": ("udp", 5006, PLAIN, SINGLE),
    "udp-reject-b1": ("udp", 5009, PLAIN, SINGLE),
    "udp-reject-a1": ("udp", 5010, PLAIN, SINGLE),
    "mute-closed": ("tcp", 5001, UNANSWERED, SINGLE),
    "mute-drop": ("tcp", 5004, UNANSWERED, SINGLE),
    "udp-mute-drop": ("udp", 5003, UNANSWERED, SINGLE),
    "rationed-drop": ("tcp", 5004, RATIONED, SINGLE),
    "udp-rationed-drop": ("udp", 5005, RATIONED, SINGLE),
    "ways-closed": ("tcp", 5001, PLAIN, SHARED),
    "ways-drop": ("tcp", 5004, PLAIN, SHARED),
    "ways-drop-r3": ("tcp", 5011, PLAIN, SHARED),
    "ways-open-drop-r3": ("tcp", 5012, PLAIN, SHARED),
    "ways-reject-r3": ("tcp", 5013, PLAIN, SHARED),
    "udp-ways-drop-r3": ("udp", 5011, PLAIN, SHARED),
    "no-route": ("tcp", 5000, PLAIN, None),
    "udp-no-route": ("udp", 5000, PLAIN, None),
    "circle": ("tcp", 5000, PLAIN, 0),
    "udp-circle": ("udp", 5000, PLAIN, 0),
}


BEFORE_ROUTING = """table inet early { chain prerouting { type filter hook prerouting priority raw; policy accept;
tcp dport 5002 drop
}
}
"""


def rules(lab: Routers) -> None:
    both = "meta l4proto {tcp, udp} th dport"
    lab.nft("a1", chain("output", f"{both} 5006 drop", f"{both} 5010 reject with icmpx admin-prohibited"))
    lab.nft(
        "b1",
        chain(
            "input",
            f"{both} 5005 drop",
            "tcp dport 5009 reject with icmpx port-unreachable",
            "udp dport 5009 reject with icmpx admin-prohibited",
        ),
    )
    kinds = [
        f"meta nfproto ipv{family} {both} {REFUSED + port} reject with icmp{'' if family == 4 else 'v6'} type {kind}"
        for family, names in KINDS.items()
        for port, kind in enumerate(names)
    ]
    lab.nft("r2", chain("forward", f"{both} 5003 drop", "tcp dport 5007 reject with tcp reset", *kinds))
    lab.nft("r2", BEFORE_ROUTING)
    lab.nft("r3", chain("forward", f"{both} {{5011, 5012}} drop", "tcp dport 5013 reject with icmpx admin-prohibited"))
    lab.nft("r4", chain("forward", f"{both} 5004 drop", "tcp dport 5008 reject with tcp reset"))
    exceeded = {4: "icmp type time-exceeded", 6: "icmpv6 type time-exceeded"}
    for node in ROUTERS:
        mute, rationed = [], []
        for family, kind in exceeded.items():
            to = "ip daddr" if family == 4 else "ip6 daddr"
            mute.append(f"{to} {on(1, UNANSWERED, family)} {kind} drop")
            # As much of the timeout as a second, Linux' default, is of ours: one for each, two at once.
            rationed.append(f"{to} {on(1, RATIONED, family)} {kind} limit rate over 3/second burst 2 packets drop")
        lab.nft(node, chain("output", *(mute if node in {"r2", "r3"} else ()), *rationed))


def asked() -> Iterator[list[object]]:
    """What the driver reads. Which way a port takes is chance: one trace in thirty sees one of two only."""
    more: dict[str, object] = {"timeout": SECONDS}
    for family in (4, 6):
        for name, (transport, port, source, way) in CASES.items():
            target = on(6, way, family) if way else (NOWHERE if way is None else CIRCLE)[family]
            bound = more if source == PLAIN else {**more, "bind": on(1, source, family)}
            yield [f"{name}/{family}", target, transport, port, 5 if way == SHARED else 1, bound]
        for port, kind in enumerate(KINDS[family], REFUSED):
            for transport in ("tcp", "udp"):
                yield [f"reject-{transport}-{kind}/{family}", on(6, SINGLE, family), transport, port, 1, more]


@pytest.fixture(scope="module")
def all_paths(_namespaces: None) -> dict[str, Path]:
    with Routers() as lab:
        rules(lab)
        lab.serve("b1", "echo 5000", "echo 5012", "udp-echo 5000")
        words = (*lab.prefix("a1"), *UNPRIVILEGED, sys.executable, "-c", DRIVER)
        printed = command(*words, text=json.dumps(list(asked())))
    found = (line.split(" ", 1) for line in printed.splitlines())
    return {name: msgspec.json.decode(path, type=Path) for name, path in found}


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def paths(all_paths: dict[str, Path], family: int) -> dict[str, Path]:
    """Those of one family, by the names of the cases."""
    return {name[:-2]: path for name, path in all_paths.items() if name.endswith(f"/{family}")}


def routers(family: int) -> tuple[str, ...]:
    """The addresses that answer on the way by `r2`."""
    return at("r1", "a1", family), at("r2", "r1", family), at("r4", "r2", family)


def shown(path: Path) -> list[tuple[str, ...]]:
    assert [hop.ttl for hop in path.hops] == list(range(1, len(path.hops) + 1))
    return [hop.addresses for hop in path.hops]


@pytest.mark.parametrize("name", ["closed", "udp-closed"])
def test_the_whole_way_to_a_target_that_answers(paths: dict[str, Path], family: int, name: str) -> None:
    path, devices = paths[name], routers(family)
    assert shown(path) == [*((device,) for device in devices), (on(6, SINGLE, family),)]
    assert (path.reached, path.distance, path.rejected, path.several, path.loops) == (True, 4, None, False, False)
    assert path.ways == (Way(devices, reached=True, flows=6),)
    assert path.last == path.hops[2]
    assert all(hop.rtt_ms is not None and hop.rtt_ms > 0 for hop in path.hops[:3])


@pytest.mark.parametrize("name", ["open", "udp-open"])
def test_a_port_that_works_ends_the_trace(paths: dict[str, Path], family: int, name: str) -> None:
    path = paths[name]
    assert shown(path) == [*((device,) for device in routers(family)), (on(6, SINGLE, family),)]
    assert (path.reached, path.distance, path.ways) == (True, 4, ())
    assert path.hops[3].rtt_ms is not None


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("drop-prerouting-r2", 1),  # before the TTL is looked at
        ("drop-forward-r2", 2),  # after
        ("drop-forward-r4", 3),
        ("drop-input-b1", 3),
        ("udp-drop-forward-r2", 2),
        ("udp-drop-input-b1", 3),
        ("rationed-drop", 3),
        ("udp-rationed-drop", 3),
    ],
)
def test_silence_ends_after_the_last_device(paths: dict[str, Path], family: int, name: str, passed: int) -> None:
    path, devices = paths[name], routers(family)[:passed]
    assert shown(path) == [*((device,) for device in devices), ()]
    assert (path.reached, path.rejected, path.distance) == (False, None, None)
    assert path.last == path.hops[passed - 1]
    assert path.ways == (Way(devices, reached=False, flows=6),)


def test_what_the_source_drops_goes_nowhere(paths: dict[str, Path]) -> None:
    tcp, udp = paths["drop-output-a1"], paths["udp-drop-output-a1"]
    assert (tcp.hops, tcp.last, tcp.failure) == ((Hop(1),), None, None)
    assert (udp.hops, udp.last, udp.failure) == ((), None, Failure.NOT_PERMITTED)


@pytest.mark.parametrize("name", ["no-route", "udp-no-route"])
def test_without_a_route_nothing_is_sent(paths: dict[str, Path], name: str) -> None:
    assert (paths[name].hops, paths[name].failure) == ((), Failure.HOST_UNREACHABLE)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_refusal_on_the_way_is_placed(paths: dict[str, Path], family: int, transport: str) -> None:
    for kind, icmp in KINDS[family].items():
        path, devices = paths[f"reject-{transport}-{kind}"], routers(family)[:2]
        assert path.rejected is not None, kind
        assert (path.rejected.ttl, path.rejected.addresses, path.rejected.icmp) == (2, devices[1:], icmp)
        assert shown(path) == [(device,) for device in devices]
        assert (path.reached, path.last) == (False, path.hops[1])


@pytest.mark.parametrize(("name", "codes"), [("reject-b1", [(3, 3), (1, 4)]), ("udp-reject-b1", [(3, 13), (1, 1)])])
def test_a_refusal_of_the_target_has_reached_it(
    paths: dict[str, Path], family: int, name: str, codes: list[tuple[int, int]]
) -> None:
    path = paths[name]
    assert (path.reached, path.distance, path.rejected) == (True, 4, path.hops[3])
    assert (path.hops[3].addresses, path.hops[3].icmp) == ((on(6, SINGLE, family),), codes[family == 6])
    assert path.last == path.hops[2]


@pytest.mark.parametrize("name", ["reject-a1", "udp-reject-a1"])
def test_a_refusal_of_the_source_is_no_devices(paths: dict[str, Path], family: int, name: str) -> None:
    path = paths[name]
    assert path.rejected is not None
    assert (path.rejected.ttl, path.rejected.addresses) == (0, (on(1, PLAIN, family),))
    assert (path.hops, path.last, path.reached) == ((), None, False)


def test_a_forged_reset_comes_from_nearer(paths: dict[str, Path]) -> None:
    assert [paths[name].distance for name in ("reset-r2", "reset-r4", "closed")] == [3, 4, 4]
    assert all(paths[name].reached for name in ("reset-r2", "reset-r4"))


def test_mute_routers_are_passed_over(paths: dict[str, Path], family: int) -> None:
    r1, _, r4 = routers(family)
    closed, dropped, nearer = paths["mute-closed"], paths["mute-drop"], paths["udp-mute-drop"]
    assert shown(closed) == [(r1,), (), (r4,), (on(6, SINGLE, family),)]
    assert (closed.distance, closed.ways) == (4, (Way((r1, "", r4), reached=True, flows=6),))
    assert (shown(dropped), dropped.last) == ([(r1,), (), (r4,), ()], dropped.hops[2])
    assert (shown(nearer), nearer.last) == ([(r1,), ()], nearer.hops[0])


def by_member(path: Path, family: int) -> dict[str, set[bool]]:
    """Whether flows reached the target, by the second device on their way."""
    members = {at("r2", "r1", family): "r2", at("r3", "r1", family): "r3"}
    found: dict[str, set[bool]] = {}
    for way in path.ways:
        found.setdefault(members[way.addresses[1]], set()).add(way.reached)
    return found


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("ways-closed", {"r2": {True}, "r3": {True}}),
        ("ways-drop", {"r2": {False}, "r3": {False}}),
        ("ways-drop-r3", {"r2": {True}, "r3": {False}}),
        ("ways-open-drop-r3", {"r2": {True}, "r3": {False}}),
        ("ways-reject-r3", {"r2": {True}, "r3": {False}}),
        ("udp-ways-drop-r3", {"r2": {True}, "r3": {False}}),
    ],
)
def test_of_several_ways_each_is_told(
    paths: dict[str, Path], family: int, name: str, reached: dict[str, set[bool]]
) -> None:
    path = paths[name]
    assert by_member(path, family) == reached
    assert path.hops[1].addresses == tuple(sorted((at("r2", "r1", family), at("r3", "r1", family))))
    assert path.several
    assert sum(way.flows for way in path.ways) == 6
    assert path.reached == any(True in seen for seen in reached.values())
    if name == "ways-reject-r3":
        assert path.rejected is not None
        assert (path.rejected.ttl, path.rejected.addresses) == (2, (at("r3", "r1", family),))
    if name == "ways-drop":
        assert path.last == path.hops[2]  # silent for some is not the end


@pytest.mark.parametrize("name", ["circle", "udp-circle"])
def test_a_loop_is_said_and_left(paths: dict[str, Path], family: int, name: str) -> None:
    path = paths[name]
    assert path.loops
    assert (path.reached, path.rejected) == (False, None)
    assert shown(path)[:2] == [(device,) for device in routers(family)[:2]]
    assert len(path.hops) <= 4
