"""`portcheck sweep`: what it takes, what it refuses, and what it leaves on disk; on loopback alone."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from probe.cli import sweep as module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "ADDRESS"),
        (("127.0.0.1", "-p", "0"), "port 0 does not exist"),
        (("127.0.0.1", "-p", "ssh"), "neither a port nor a range"),
        (("127.0.0.1", "--max-rate", "-1"), "a number from 0 up is wanted"),
        (("127.0.0.1", "--max-rate", "nan"), "a number from 0 up is wanted"),
        (("127.0.0.1", "--timeout", "0"), "seconds are wanted"),
        (("127.0.0.1", "--deadline", "soon"), "seconds are wanted"),
        (("127.0.0.1", "--seed", "-1"), "a number from 0 up is wanted"),
        (("127.0.0.1", "--json", "-", "--xml", "-"), "only one of --json and --xml"),
        (("127.0.0.1", "--json", "nothing/\0"), "cannot be written"),
        (("0.0.0.0",), "this machine itself is 127.0.0.1"),
        (("::",), "this machine itself is ::1"),
        (("224.0.0.1",), "the address of many machines"),
        (("255.255.255.255",), "the address of many machines"),
        (("fe80::1",), "fe80::1%eth0"),
        (("10.0.0.0/24",), "one address or one name is wanted"),
        (("host\x1b[2J.invalid",), "\\x1b[2J"),
        (("x" * 300 + ".invalid",), "knows no address of that name"),
    ],
)
def test_what_cannot_be_swept_is_said(portcheck: Any, words: tuple[str, ...], said: str) -> None:
    code, out, err = portcheck("sweep", *words)
    assert (code, out) == (4, "")
    assert said in err


@pytest.mark.parametrize("engine", [[], ["--connect"]])
def test_a_sweep_of_this_machine(portcheck: Any, listener: int, engine: list[str], shop: Path) -> None:
    asked = f"{listener},{listener - 1 if listener > 1 else listener + 1}"
    code, out, err = portcheck("sweep", "127.0.0.1", "--ports", asked, "--json", "out.json", "--seed", "5", *engine)
    assert (code, err) == (0, "")
    assert out.startswith("127.0.0.1: 1 of 2 tcp ports open\n")
    found = json.loads((shop / "out.json").read_text())
    assert (found["ports"]["open"], found["seed"]) == (str(listener), 5)
    assert found["engine"] == "connect" or not engine


@pytest.mark.parametrize(("option", "begins"), [("--json", "{"), ("--xml", "<?xml")])
def test_a_dash_is_stdout_instead_of_the_table(portcheck: Any, listener: int, option: str, begins: str) -> None:
    code, out, _ = portcheck("sweep", "127.0.0.1", "-p", str(listener), option, "-")
    assert code == 0
    assert out.startswith(begins)
    assert "ports open" not in out


def test_each_address_of_a_name_is_swept(portcheck: Any, listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(name: str, *_: object, **__: object) -> list[Any]:
        assert name == "two.example"
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, 0)) for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]

    with monkeypatch.context() as patch:
        real = socket.getaddrinfo
        patch.setattr(
            module.socket,
            "getaddrinfo",
            lambda name, *rest, **more: resolved(name) if name == "two.example" else real(name, *rest, **more),
        )
        code, out, _ = portcheck("sweep", "two.example", "-p", str(listener), "--json", "-")
    assert code == 0
    found = json.loads(out)
    assert [found["name"], found["address"]] == ["two.example", "127.0.0.1"]
    assert [(other["address"], other["ports"]) for other in found["more"]] == [
        ("127.0.0.2", {"open": "", "closed": str(listener)})
    ]


def test_an_address_of_the_other_family_in_disguise(portcheck: Any, listener: int) -> None:
    code, out, _ = portcheck("sweep", "::ffff:127.0.0.1", "-p", str(listener), "--json", "-")
    assert code == 0
    assert (json.loads(out)["address"], json.loads(out)["ports"]["open"]) == ("127.0.0.1", str(listener))


def test_no_limit_is_zero_and_the_default_is_gentle() -> None:
    assert module._rate("0") == float("inf")
    assert module._rate("200") == 200.0


def test_settings_may_hold_its_options(portcheck: Any, listener: int, shop: Path) -> None:
    (shop / "portcheck.toml").write_text(f'ports = "{listener}"\nconnect = true\n')
    code, out, _ = portcheck("sweep", "127.0.0.1", "--json", "-")
    assert code == 0
    assert json.loads(out)["engine"] == "connect"
    assert portcheck("plan", "-i", "hosts.txt")[0] == 0


def test_what_the_deadline_leaves_is_inconclusive(portcheck: Any, listener: int) -> None:
    code, out, _ = portcheck("sweep", "127.0.0.1", "-p", f"{listener},1-5000", "--max-rate", "100", "--deadline", "0.3")
    assert code == 6
    assert "the deadline of 0.3 s ended it" in out
