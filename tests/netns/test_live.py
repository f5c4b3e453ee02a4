"""The running system: the real services are asked in their own protocol, and nothing is opened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .harness import BOTH, pair
from .lab import Lab, chain

if TYPE_CHECKING:
    from .harness import Portcheck, Run

SERVED = {
    "tcp": ("tcp 5000", "echo 5000"),
    "udp": ("udp 5001", "udp-echo 5001"),
    "http": ("http 8080", "http 8080"),
    "https": ("https 8443", "https 8443"),
    "banner": ("tcp 5002", "banner 5002"),
    "unauthorised": ("http 8086", "http 8086 status=401"),
    "elsewhere": ("http 8087", "http 8087 status=302"),
}
WRONG = {
    "no-http": ("http 8081", "banner 8081", "wrong-service"),
    "no-tls": ("https 8444", "http 8444", "tls"),
    "hostile": ("http 8083", "hostile 8083", "wrong-service"),
    "unwell": ("http 8082", "http 8082 status=503", "unhealthy"),
    "unwell-tls": ("https 8445", "https 8445 status=503", "unhealthy"),
}
ABSENT = {"no-tcp": "tcp 5010", "no-udp": "udp 5011", "no-http-there": "http 8090", "no-https-there": "https 8446"}
# The service is there and well; a firewall is in the way.
HIDDEN = {
    "dropped": ("tcp 5020", "tcp dport 5020 drop"),
    "reset": ("tcp 5021", "tcp dport 5021 reject with tcp reset"),
    "rejected": ("http 5022", "tcp dport 5022 reject with icmpx admin-prohibited"),
    "refused": ("tcp 5023", "tcp dport 5023 reject with icmpx port-unreachable"),
    "udp-refused": ("udp 5024", "udp dport 5024 reject with icmpx port-unreachable"),
}
HIDDEN_SERVERS = ("echo 5020", "echo 5021", "http 5022", "echo 5023", "udp-echo 5024")
STUCK = {
    "silent": ("http 8084", "silent 8084"),
    "silent-tls": ("https 8447", "silent 8447"),
    "tls-for-http": ("http 8088", "https 8088"),
    "dripping": ("http 8085", "dripping 8085"),
}
OTHERS = {"loopback": "tcp 5030", "mute": "udp 5031"}


@pytest.fixture(scope="module")
def live_over_both(portcheck: Portcheck) -> Run:
    services = {
        **{name: needed for name, (needed, *_) in {**SERVED, **WRONG, **STUCK, **HIDDEN}.items()},
        **ABSENT,
        **OTHERS,
    }
    running = [server for _, server, *_ in (*SERVED.values(), *WRONG.values(), *STUCK.values())]
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *running, *HIDDEN_SERVERS, "echo 5030 address=127.0.0.1", "udp-silent 5031")
        lab.nft("r", chain("forward", *(rule for _, rule in HIDDEN.values())))
        return portcheck(lab, pair(), services, phase="live", families=BOTH)


@pytest.fixture(params=BOTH, ids=["ipv4", "ipv6"])
def live(request: pytest.FixtureRequest, live_over_both: Run) -> Run:
    return live_over_both.over(request.param)


@pytest.mark.parametrize("service", SERVED)
def test_a_service_that_answers_passes(live: Run, service: str) -> None:
    row = live.row(service=service)
    assert (row["verdict"], row["cause"], row["state"]) == ("pass", None, "open"), live


@pytest.mark.parametrize("service", ABSENT)
def test_a_service_that_is_absent_is_down(live: Run, service: str) -> None:
    assert live.outcome(service=service) == ("down", "not-listening"), live
    assert live.row(service=service)["state"] == "closed"


@pytest.mark.parametrize("service", WRONG)
def test_a_service_that_is_not_what_should_be_there(live: Run, service: str) -> None:
    assert live.outcome(service=service) == ("mismatch", WRONG[service][2]), live
    assert live.row(service=service)["state"] == "open"


@pytest.mark.parametrize("service", STUCK)
def test_a_service_that_accepts_and_does_not_answer_is_no_pass(live: Run, service: str) -> None:
    assert live.row(service=service)["verdict"] in {"mismatch", "inconclusive", "blocked"}, live


def test_what_the_network_says_is_shown_harmless(live: Run) -> None:
    assert "\x1b" not in live.stdout + live.stderr
    row = live.row(service="hostile")
    assert all(
        text.isprintable() for text in (row["detail"], row["advice"], *(each["what"] for each in row["evidence"]))
    )
    assert "Traceback" not in live.stderr


@pytest.mark.parametrize("service", HIDDEN)
def test_a_service_behind_a_firewall_is_blocked_not_down(live: Run, service: str) -> None:
    assert live.row(service=service)["verdict"] == "blocked", live


def test_a_service_on_loopback_only_is_down(live: Run) -> None:
    assert live.outcome(service="loopback") == ("down", "bound-elsewhere"), live
    assert "127.0.0.1" in json.dumps([live.row(service="loopback")["evidence"], live.row(service="loopback")["detail"]])


def test_a_service_that_says_nothing_proves_nothing(live: Run) -> None:
    """A silent UDP service: neither answered nor refused."""
    assert live.row(service="mute")["verdict"] == "inconclusive", live
    assert live.row(service="mute")["state"] == "open|filtered"


def test_exit_code(live: Run) -> None:
    assert live.code == 1


def test_all_well_conforms(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", *(server for _, server in SERVED.values()))
        run = portcheck(lab, pair(), {name: needed for name, (needed, _) in SERVED.items()}, phase="live")
    assert (run.code, run.verdicts()) == (0, {"pass"}), run


def test_a_target_without_an_agent(portcheck: Portcheck) -> None:
    """A managed database: what answers is there; what refuses cannot be told from a firewall."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 5000")
        variables = {"b1": {"portcheck_agent": "none"}}
        run = portcheck(lab, pair(), {"there": "tcp 5000", "absent": "tcp 5001"}, phase="live", variables=variables)
    assert run.outcome(service="there") == ("pass", None), run
    assert run.row(service="absent")["verdict"] in {"down", "blocked", "inconclusive"}, run
    assert run.code != 0


def test_auto_asks_what_is_there_and_stands_in_for_the_rest(portcheck: Portcheck) -> None:
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "http 8080", "http 8081 status=503")
        services = {"there": "http 8080", "unwell": "http 8081", "missing": "http 8082"}
        run = portcheck(lab, pair(), services, phase="auto")
    assert run.outcome(service="there") == ("pass", None), run
    assert run.outcome(service="unwell") == ("mismatch", "unhealthy"), run
    assert run.row(service="missing")["verdict"] == "pass", run


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [("live", ("down", "bound-elsewhere")), ("auto", ("down", "bound-elsewhere")), ("pre-install", ("pass", None))],
)
def test_a_listener_on_loopback_only(portcheck: Portcheck, phase: str, outcome: tuple[str, str | None]) -> None:
    """A running service that others cannot reach; before the installation somebody else's, which is remarked on."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 5000 address=127.0.0.1")
        run = portcheck(lab, pair(), {"tcp": "tcp 5000"}, phase=phase)
    assert run.outcome(service="tcp") == outcome, run
    assert "127.0.0.1" in json.dumps([run.row(service="tcp")["evidence"], run.row(service="tcp")["detail"]])


def test_a_listener_on_loopback_only_behind_a_translated_address(portcheck: Portcheck) -> None:
    """Any address of the host may be the one that is meant, but not that one."""
    with Lab("a1", "b1") as lab:
        lab.serve("b1", "echo 5000 address=127.0.0.1")
        lab.nft("r", chain("prerouting", f"ip daddr 203.0.113.5 dnat ip to {lab.address('b1')}"))
        variables = {"b1": {"portcheck_address": "203.0.113.5"}}
        run = portcheck(lab, pair(), {"tcp": "tcp 5000"}, phase="live", variables=variables)
    assert run.outcome(service="tcp") == ("down", "bound-elsewhere"), run
