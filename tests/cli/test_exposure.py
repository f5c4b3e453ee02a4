"""Beyond the matrix: what `plan` says of it, where the option comes from, and slips in the list of what is allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def open_shop(shop: Path) -> Path:
    """What no flow allows is told."""
    file = shop / "shop.yaml"
    file.write_text(file.read_text().replace("policy: {inside: ignore, outside: ignore}\n", ""))
    return shop


def beyond(text: str) -> str:
    return " ".join(text.partition("Beyond the matrix")[2].partition("Variables")[0].split())


def test_plan_says_what_would_be_looked_for(portcheck: Any, open_shop: Path) -> None:
    code, out, _ = portcheck("plan", "-i", "hosts.txt")
    assert code == 0
    assert beyond(out) == (
        "(--exposure listening) what listens on d1, w1, and no service names, is tried from one host of each kind, and "
        "from the others where it gets through: web, inside (w1); db, inside (d1) always allowed (portcheck_allow): "
        "agent, ssh from coordinator"
    )


def test_a_sweep_is_told_with_its_size(portcheck: Any, open_shop: Path) -> None:
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--exposure", "all")
    # All of two hosts from each other, less one port of the matrix and one of SSH on each, TCP and UDP.
    assert f"{4 * 65535 - 3:,} ports over 2 ways, without --max-rate at least 19 min" in beyond(out)


def test_known_says_nothing(portcheck: Any, open_shop: Path) -> None:
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--exposure", "known")
    assert "Beyond" not in out


def test_where_all_is_ignored_nothing_is_looked_for(portcheck: Any) -> None:
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--exposure", "all")
    assert "Beyond" not in out


def test_json(portcheck: Any, open_shop: Path) -> None:
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--json", "-", "--exposure", "all")
    assert json.loads(out)["exposure"] == {
        "scope": "all",
        "targets": ["w1", "d1"],
        "kinds": [
            {"zone": "inside", "role": "web", "roles": ["web"], "sources": ["w1"]},
            {"zone": "inside", "role": "db", "roles": ["db"], "sources": ["d1"]},
        ],
        "standing": {name: ["agent", "ssh from coordinator"] for name in ("w1", "d1")},
    }
    _, out, _ = portcheck("plan", "-i", "hosts.txt", "--json", "-", "--exposure", "known")
    assert json.loads(out)["exposure"] is None


def test_a_matrix_without_flows_that_forbids_all_is_something_to_check(portcheck: Any, open_shop: Path) -> None:
    code, out, _ = portcheck("plan", "-i", "hosts.txt", "--only", "service=undeclared")
    assert code == 0
    assert "0 checks" in out


@pytest.mark.parametrize("way", ["file", "variable", "flag"])
def test_the_scope_comes_from_wherever_options_come_from(
    portcheck: Any, open_shop: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    words = ["plan", "-i", "hosts.txt"]
    if way == "file":
        (open_shop / "portcheck.toml").write_text('exposure = "all"\n')
    elif way == "variable":
        monkeypatch.setenv("PORTCHECK_EXPOSURE", "all")
    else:
        monkeypatch.setenv("PORTCHECK_EXPOSURE", "known")
        words += ["--exposure", "all"]
    assert "--exposure all" in portcheck(*words)[1]


@pytest.mark.parametrize("command", ["plan", "run"])
def test_slips_in_the_list_stop_before_anything_is_sent(portcheck: Any, open_shop: Path, command: str) -> None:
    file = open_shop / "hosts.txt"
    file.write_text(file.read_text() + "portcheck_allow=22 from nobody, 99999\n")
    code, _, err = portcheck(command, "-i", "hosts.txt")
    assert code == 4
    assert "host 'w1' and 1 more: portcheck_allow: '22 from nobody': 'nobody' is no role, group or host" in err
    assert err.count("'99999': port 99999 does not exist") == 1
    assert "hint: write for example" in err
