"""Something answers, but not the target: redirects, translated and swapped addresses, ports that are taken.

None of it may pass.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import Lab, chain, command

if TYPE_CHECKING:
    from .harness import Portcheck, Run

ALL_FOUR = {"tcp": "tcp 5000", "udp": "udp 5001", "http": "http 8080", "https": "https 8443"}
# The needed service, and what the router puts in the target's place. An echo sends the challenge itself back.
IMPOSTORS = {
    "banner": ("tcp 5000", "banner 6000"),
    "silent": ("tcp 5001", "silent 6001"),
    "closing": ("tcp 5002", "closing 6002"),
    "echo": ("tcp 5003", "echo 6003"),
    "http": ("http 5004", "http 6004"),
    "http-503": ("http 5005", "http 6005 status=503"),
    "https": ("https 5006", "https 6006"),
    "banner-for-http": ("http 5007", "banner 6007"),
    "http-for-https": ("https 5008", "http 6008"),
    "udp": ("udp 5009", "udp-echo 6009"),
}


@pytest.fixture(scope="module")
def redirected_over_both(portcheck: Portcheck) -> Run:
    with Lab("a1", "b1") as lab:
        lab.serve("r", *(impostor for _, impostor in IMPOSTORS.values()))
        rules = []
        for needed, impostor in IMPOSTORS.values():
            protocol, port = needed.split()
            transport = "udp" if protocol == "udp" else "tcp"
            rules.append(f'iifname "a1" {transport} dport {port} redirect to :{impostor.split()[1]}')
        lab.nft("r", chain("prerouting", *rules))
        return portcheck(lab, pair(), {name: needed for name, (needed, _) in IMPOSTORS.items()}, families=BOTH)


@pytest.fixture(params=BOTH, ids=["ipv4", "ipv6"])
def redirected(request: pytest.FixtureRequest, redirected_over_both: Run) -> Run:
    return redirected_over_both.over(request.param)


@pytest.mark.parametrize("service", IMPOSTORS)
def test_the_router_answers_in_the_targets_place(redirected: Run, service: str) -> None:
    assert redirected.outcome(service=service) == ("mismatch", "intercepted"), redirected
    assert redirected.code == 1


@pytest.fixture(scope="module")
def astray(portcheck: Portcheck) -> Run:
    """All listen on the same ports in the same run. What is sent to `b3` arrives at `b4`; `b1` and `b2` are swapped."""
    with Lab("a1", "b1", "b2", "b3", "b4") as lab:
        b1, b2, b3, b4 = map(lab.address, ("b1", "b2", "b3", "b4"))
        swapped = f"{{ {b1} : {b2}, {b2} : {b1}, {b3} : {b4} }}"
        lab.nft("r", chain("prerouting", f"dnat ip to ip daddr map {swapped}"))
        return portcheck(lab, pair("b1", "b2", "b3", "b4"), ALL_FOUR)


@pytest.mark.parametrize("service", ALL_FOUR)
@pytest.mark.parametrize("target", ["b1", "b2", "b3"])
def test_another_target_answers(astray: Run, target: str, service: str) -> None:
    assert astray.outcome(target=target, service=service) == ("mismatch", "intercepted"), astray
    assert astray.code == 1


@pytest.mark.parametrize("service", ALL_FOUR)
def test_the_target_that_answers_for_two_passes_itself(astray: Run, service: str) -> None:
    assert astray.outcome(target="b4", service=service) == ("pass", None), astray


def test_a_real_service_elsewhere_answers(portcheck: Portcheck) -> None:
    with Lab("a1", "b1", "b2") as lab:
        lab.serve("b2", "echo 5000", "udp-echo 5001", "http 8080", "https 8443")
        lab.nft("r", chain("prerouting", f"ip daddr {lab.address('b1')} dnat ip to {lab.address('b2')}"))
        run = portcheck(lab, pair("b1"), ALL_FOUR)
    for service in ALL_FOUR:
        assert run.outcome(service=service) == ("mismatch", "intercepted"), run
    assert run.code == 1


@pytest.mark.parametrize("stand_in", [True, False], ids=["stand-in", "service"])
@pytest.mark.parametrize("place", ["b1", "r"])
def test_another_port_of_the_target_answers(portcheck: Portcheck, place: str, stand_in: bool) -> None:
    """The rule for the real port drops, and is never asked: a `pass` would be wrong once the product is installed."""
    with Lab("a1", "b1") as lab:
        lab.nft("b1", chain("input", "tcp dport 5000 drop"))
        rule = "redirect to :6000" if place == "b1" else f"dnat ip to {lab.address('b1')}:6000"
        lab.nft(place, chain("prerouting", f"tcp dport 5000 {rule}"))
        services = {"needed": "tcp 5000", **({"other": "tcp 6000"} if stand_in else {})}
        if not stand_in:
            lab.serve("b1", "echo 6000")
        run = portcheck(lab, pair(), services)
    assert run.outcome(service="needed") == ("mismatch", "intercepted"), run
    assert not stand_in or run.outcome(service="other") == ("pass", None)
    assert run.code == 1


TAKEN = {"tcp": "tcp 5000", "udp": "udp 5001", "http": "http 8080", "https": "https 8443"}


@pytest.fixture(scope="module")
def taken(portcheck: Portcheck) -> Run:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 5000", "udp-echo 5001", "http 8080", "https 8443")
        return portcheck(lab, pair(), {**TAKEN, "free": "tcp 5002"})


@pytest.mark.parametrize("service", TAKEN)
def test_a_port_that_is_taken_before_the_installation(taken: Run, service: str) -> None:
    assert taken.outcome(service=service) == ("mismatch", "port-taken"), taken
    row = taken.row(service=service)
    assert "python" in json.dumps([row["evidence"], row["detail"]]), row


def test_a_port_that_an_outgoing_connection_holds(portcheck: Portcheck) -> None:
    """No service is there, and no stand-in can be: not measured."""
    with Lab("a1", "b1") as lab:
        lab.serve("a1", "echo 7000")
        lab.serve("b1", f"outgoing 52380 address={lab.address('b1')} to={lab.address('a1')}:7000")
        run = portcheck(lab, pair(), {"etcd": "tcp 52380", "beside": "tcp 52381"})
    assert run.outcome(service="etcd") == ("inconclusive", "resources"), run
    assert run.outcome(service="beside") == ("pass", None), run
    assert run.code == 6


def test_a_firewall_that_shakes_hands_in_the_targets_place(portcheck: Portcheck) -> None:
    """A SYN proxy connects first and asks the target later. What reaches the target passes, what does not must not."""
    proxied = "tcp dport 5000-5001 tcp flags syn"
    with Lab("a1", "b1") as lab:
        command(*lab.prefix("r"), "sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_loose=0")
        lab.nft("b1", chain("input", "tcp dport 5001 drop"))
        lab.nft(
            "r",
            "table inet lab {\n"
            f"chain early {{ type filter hook prerouting priority raw;\n{proxied} notrack\n}}\n"
            "chain forward { type filter hook forward priority filter;\n"
            "tcp dport 5000-5001 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm\n"
            "tcp dport 5000-5001 ct state invalid drop\n}\n}\n",
        )
        run = portcheck(lab, pair(), {"open": "tcp 5000", "dropped": "tcp 5001"})
    assert run.outcome(service="open") == ("pass", None), run
    assert run.row(service="dropped")["verdict"] in {"blocked", "mismatch"}, run


def test_the_port_beside_it_is_free(taken: Run) -> None:
    assert taken.outcome(service="free") == ("pass", None), taken
    assert taken.code == 1
