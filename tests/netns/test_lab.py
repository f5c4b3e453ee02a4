"""The laboratory itself: what the scenarios lean on is so."""

from __future__ import annotations

import pytest

from .lab import Lab, chain, command

DIAL = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family) as dialling:
    dialling.settimeout(float(sys.argv[3]))
    try:
        dialling.connect((sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        print(type(error).__name__)
    else:
        print("connected")
"""


def dial(lab: Lab, source: str, address: str, port: int, seconds: float = 5) -> str:
    return command(*lab.prefix(source), "python3", "-c", DIAL, address, str(port), str(seconds)).strip()


@pytest.mark.parametrize("family", [4, 6])
def test_hosts_reach_each_other_at_once_and_rules_act(family: int) -> None:
    with Lab("a1", "b1") as lab:
        address = lab.address("b1", family)
        assert dial(lab, "a1", address, 5000) == "ConnectionRefusedError"
        lab.serve("b1", "echo 5000", "echo 5001")
        assert lab.listening("b1") == {"tcp 5000", "tcp 5001"}
        lab.nft("r", chain("forward", "tcp dport 5001 drop"))
        assert dial(lab, "a1", address, 5000) == "connected"
        assert dial(lab, "a1", address, 5001, 0.2) == "TimeoutError"


def test_nothing_is_left_behind_after_a_failure() -> None:
    lab = Lab("a1")

    def fail() -> None:
        with lab:
            lab.serve("a1", "echo 5000")
            assert lab.pids("a1")
            lab.nft("r", "table inet nonsense {")

    with pytest.raises(RuntimeError, match="syntax error"):
        fail()
    assert lab.namespace("a1") not in command("ip", "netns", "list")
    assert not lab._processes
