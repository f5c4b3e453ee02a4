"""What a newcomer starts from must be accepted by portcheck itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probe.cli.main import main
from probe.spec import inventory, matrix

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["hosts.txt", "live.txt"])
def test_an_inventory_has_no_fault(name: str, capsys: pytest.CaptureFixture[str]):
    assert main(["inventory", "lint", str(EXAMPLES / name)]) == 0, capsys.readouterr().err


def test_a_matrix_has_no_fault(capsys: pytest.CaptureFixture[str]):
    assert main(["matrix", "lint", str(EXAMPLES / "matrix.yaml")]) == 0, capsys.readouterr().err


def test_the_cluster_has_twelve_hosts_and_every_run_mode():
    hosts = inventory.load(str(EXAMPLES / "hosts.txt"))
    assert len(hosts.hosts) == 12
    assert all(re.fullmatch(r"127\.80\.0\.\d+", host.addresses[0]) for host in hosts.hosts.values())
    roles = matrix.load(["aiware"]).roles
    wanted = {name for name, role in roles.items() if not role.every_host}
    had = {
        found.name
        for host in hosts.hosts.values()
        for group in host.roles
        if (found := matrix.load(["aiware"]).role_named(group))
    }
    assert wanted <= had
