"""What is open and nobody asked for: listeners that the matrix does not name, tried from every kind of source."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

ROLES = {"a1": ("source",), "a2": ("bystander",), "a3": ("bystander",), "b1": ("target",), "x1": ()}
MATRIX = {
    "portcheck": 1,
    "name": "shop",
    "roles": {"source": {}, "bystander": {}, "target": {}},
    "services": {
        "site": {"role": "target", "port": 8080, "protocol": "http"},
        "sql": {"role": "target", "port": 5432},
        "clock": {"role": "target", "port": 5123, "protocol": "udp"},
        "admin": {"role": "target", "port": 8081, "bind": "local"},
    },
    "flows": [{"from": "source", "to": ["site", "sql", "clock"]}],
    "policy": {"inside": "advise", "outside": "enforce"},
}
NAMED = ("http 8080", "echo 5432", "udp-echo 5123")


def matrix(**changes: Any) -> str:
    return json.dumps({**MATRIX, **changes})


def undeclared(run: Run, **wanted: str) -> dict[tuple[str, str], str]:
    """`(source, "tcp 6379")`: the verdict, of rows without a service of the matrix."""
    rows = run.rows(service="undeclared", **wanted)
    return {(row["source"], f"{row['transport']} {row['ports']}"): row["verdict"] for row in rows}


def privileges(lab: Lab, raw: str) -> dict[str, dict[str, str]]:
    words = "" if raw == "on both" else " setpriv --bounding-set=-net_raw --inh-caps=-net_raw"
    return {host: {"portcheck_exec": " ".join(lab.prefix(host)) + words} for host in ("a1", "b1")}


@pytest.fixture(scope="module")
def run(portcheck: Portcheck) -> Run:
    """Six services, of which two are not in the matrix and one is not where the matrix has it; and two that listen
    where nobody can reach them.
    """
    others = (
        "echo 8081",
        "echo 6379",
        "udp-silent 6161",
        "echo 7000 address=127.0.0.1",
        "echo 7001",
        "udp-silent 7002",
    )
    with Lab("a1", "a2", "a3", "b1", "x1") as lab:
        lab.serve("b1", *NAMED, *others)
        lab.nft("b1", chain("input", "tcp dport 7001 drop", "udp dport 7002 drop"))
        lab.nft("r", chain("forward", 'iifname "x1" tcp dport 5432 drop', 'iifname "x1" udp dport 6161 drop'))
        return portcheck(lab, ROLES, matrix(), phase="live")


def test_what_the_matrix_does_not_name_is_found_from_everywhere(run: Run) -> None:
    found = undeclared(run, target="b1", verdict="exposed")
    everybody = {"a1", "a2", "a3", "x1"}
    assert {source for source, port in found if port == "tcp 6379"} == everybody
    # A UDP service that says nothing: known by what its host lets in.
    assert {source for source, port in found if port == "udp 6161"} == everybody - {"x1"}
    assert {port for _, port in found} == {"tcp 6379", "udp 6161"}, run


def test_and_named(run: Run) -> None:
    row = run.row(source="x1", service="undeclared", ports="6379")
    assert (row["cause"], row["policy"], row["rule"], row["undeclared"]) == (
        "listening", "enforce", "policy.outside", True,
    )  # fmt: skip
    assert row["listener"]["address"] == "0.0.0.0"
    assert row["listener"]["process"].startswith("python")
    assert row["listener"]["user"] == "root"
    assert row["listener"]["pid"] > 1
    assert "listens on 0.0.0.0:6379, and x1 reaches it; no service of the matrix has this port" in row["detail"]
    assert "listens on 0.0.0.0:6379; reachable from outside (x1), role bystander (a2, a3) and role source (a1)" in (
        " ".join(run.stdout.split())
    )
    assert run.code == 1


def test_what_is_declared_and_reached_from_elsewhere(run: Run) -> None:
    found = {row["source"]: row for row in run.rows(service="site", verdict="exposed")}
    assert found.keys() == {"a2", "a3", "x1"}
    assert found["a2"]["allowed"] == ["source"]
    assert "the matrix allows source" in found["a2"]["detail"]
    # UDP that answers, and a way that a firewall shuts.
    assert {row["source"] for row in run.rows(service="clock", verdict="exposed")} == {"a2", "a3", "x1"}
    assert {row["source"] for row in run.rows(service="sql", verdict="exposed")} == {"a2", "a3"}


def test_what_is_for_loopback_alone_and_is_reached(run: Run) -> None:
    found = run.rows(service="admin", verdict="exposed")
    assert {row["source"] for row in found} == {"a1", "a2", "a3", "x1"}
    assert all("loopback alone" in row["detail"] and row["policy"] == "enforce" for row in found)


def test_what_nobody_reaches_is_a_note(run: Run) -> None:
    unnamed = {f"{one['transport']} {one['ports']}": one for one in run.report["exposure"]["unnamed"]}
    for port in ("tcp 7001", "udp 7002"):
        assert len(unnamed[port]["asked"]) == 3, unnamed[port]
        assert not unnamed[port]["reached"] + unnamed[port]["unsure"], unnamed[port]
        assert {undeclared(run).get((source, port), "pass") for source in ("a1", "a2", "x1")} == {"pass"}
    beyond = " ".join(run.stdout.partition("Beyond the matrix")[2].split())
    assert "nobody reached it" in beyond
    assert "tcp 0.0.0.0:7001" in beyond


def test_a_listener_on_loopback_is_not_tried(run: Run) -> None:
    assert not [row for row in run.rows(service="undeclared") if row["ports"] == "7000"]
    (one,) = (one for one in run.report["exposure"]["unnamed"] if one["ports"] == "7000")
    assert (one["asked"], one["addresses"]) == ([], ["127.0.0.1"])


def test_one_of_each_kind_is_asked_first_and_the_others_where_it_got_through(run: Run) -> None:
    tried = {source for source, port in undeclared(run) if port == "tcp 7001"}
    assert len(tried) == 3
    assert len(tried & {"a2", "a3"}) == 1


def test_what_is_always_allowed_is_in_the_report(run: Run) -> None:
    (entry,) = run.report["exposure"]["standing"]
    assert (entry["entry"], entry["ports"], entry["who"]) == ("ssh from coordinator", "22", "coordinator")
    assert "always allowed: tcp 22 from coordinator" in " ".join(run.stdout.split())


def test_the_list_is_the_inventorys(portcheck: Portcheck) -> None:
    allow = {"b1": {"portcheck_allow": "6379 from bystander, 6161/udp"}}
    with Lab("a1", "a2", "b1") as lab:
        lab.serve("b1", *NAMED, "echo 6379", "udp-echo 6161", "echo 22")
        roles = {"a1": ("source",), "a2": ("bystander",), "b1": ("target",)}
        run = portcheck(lab, roles, matrix(), "--strict", phase="live", variables=allow)
    assert undeclared(run) == {
        ("a1", "tcp 6379"): "exposed", ("a1", "tcp 22"): "exposed", ("a2", "tcp 22"): "exposed",
    }, run  # fmt: skip
    assert run.code == 1


@pytest.mark.parametrize(("policy", "code"), [("enforce", 1), ("advise", 0), ("ignore", 0)])
def test_a_role_on_whose_hosts_nothing_else_may_be_open(portcheck: Portcheck, policy: str, code: int) -> None:
    roles = {**MATRIX["roles"], "target": {"policy": policy}}  # type: ignore[dict-item]
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *NAMED, "echo 6379")
        run = portcheck(lab, {"a1": ("source",), "b1": ("target",)}, matrix(roles=roles), phase="live")
    found = undeclared(run, target="b1")
    assert found == ({} if policy == "ignore" else {("a1", "tcp 6379"): "exposed"}), run
    assert run.code == code, run


@pytest.mark.parametrize("raw", ["on both", "on neither"])
def test_something_that_answers_for_every_port_is_one_finding(portcheck: Portcheck, raw: str) -> None:
    """What is behind it nobody knows; the listeners of the target are not blamed. A target that may look sees that
    nothing comes; without, a port on which nothing listens tells.
    """
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 6379", "echo 6380", "echo 6381")
        lab.serve("r", "silent 9")
        lab.nft("r", chain("prerouting", f"ip daddr {lab.address('b1')} meta l4proto tcp redirect to :9"))
        run = portcheck(
            lab, {"a1": ("source",), "b1": ("target",)}, matrix(), "--strict", "--only", "service=undeclared",
            phase="live", variables=privileges(lab, raw),
        )  # fmt: skip
    assert undeclared(run) == {("a1", f"tcp {port}"): "inconclusive" for port in (6379, 6380, 6381)}, run
    assert {row["cause"] for row in run.rows()} == {"conflicting-evidence"}
    assert [finding["verdict"] for finding in run.report["findings"]] == ["inconclusive"]
    assert run.code == 6


@pytest.mark.parametrize("raw", ["on both", "on neither"])
def test_without_the_right_to_look_a_silent_service_is_unknown(portcheck: Portcheck, raw: str) -> None:
    """TCP is as sure as ever; whether a UDP service that says nothing is reached, only its host could tell."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 6379", "udp-silent 6161", "udp-echo 6162")
        run = portcheck(
            lab, {"a1": ("source",), "b1": ("target",)}, matrix(), "--strict", "--only", "service=undeclared",
            phase="live", variables=privileges(lab, raw),
        )  # fmt: skip
    silent = "exposed" if raw == "on both" else "inconclusive"
    assert undeclared(run) == {
        ("a1", "tcp 6379"): "exposed", ("a1", "udp 6161"): silent, ("a1", "udp 6162"): "exposed",
    }, run  # fmt: skip


ON_A_DEVICE = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"other")
    sock.bind(("0.0.0.0", 6363))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_silent_service_that_listens_to_another_interface_is_not_blamed(portcheck: Portcheck) -> None:
    """Its host lets the datagram in, and the socket does not get it; that it was refused is not told either."""
    with Lab("a1", "b1") as lab:
        lab.ip("b1", "link add other type veth peer name another", "link set other up")
        lab.nft("b1", chain("output", "icmp type destination-unreachable drop"))
        server = lab.start("b1", sys.executable, "-c", ON_A_DEVICE)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        only = ("--strict", "--only", "service=undeclared target=b1")
        run = portcheck(lab, {"a1": ("source",), "b1": ("target",)}, matrix(), *only, phase="live")
    assert undeclared(run) == {("a1", "udp 6363"): "inconclusive"}, run
    assert "nothing to check" not in run.stderr


def test_where_nobody_can_say_what_listens_nothing_is_known(portcheck: Portcheck) -> None:
    """A host on which nothing else may be open, and whose agent cannot be reached."""
    roles = {"source": {}, "target": {"policy": "enforce"}}
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 6379")
        run = portcheck(
            lab, {"a1": ("source",), "b1": ("target",)}, matrix(roles={**MATRIX["roles"], **roles}), phase="live",
            variables={"b1": {"portcheck_exec": "false"}},
        )  # fmt: skip
    assert undeclared(run) == {("a1", f"{transport} 1-65535"): "inconclusive" for transport in ("tcp", "udp")}, run
    assert run.code == 6


def test_only_known_ports(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *NAMED, "echo 6379")
        roles = {"a1": ("source",), "b1": ("target",)}
        run = portcheck(lab, roles, matrix(), "--strict", "--exposure", "known", phase="live")
    assert undeclared(run) == {}
    assert run.report["exposure"] is None
    assert run.code == 0
