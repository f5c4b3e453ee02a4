"""The daemon's systemd unit: valid, and as little exposed as it says of itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "portcheck-agent.service"
RAW = UNIT.with_name("portcheck-agent-raw.conf")

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there (Debian: apt-get install systemd)"
)


def analyze(*arguments: str) -> str:
    """What systemd-analyze says, on either stream; it must be content."""
    command = ["systemd-analyze", "--no-pager", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    return text


def exposure(unit: Path) -> float:
    found = re.search(r"exposure level for \S+: ([\d.]+)", analyze("security", "--offline=true", str(unit)))
    assert found
    return float(found[1])


def test_the_unit_is_hardened():
    claimed = re.search(r"rates this unit ([\d.]+)", UNIT.read_text())
    assert claimed
    # Other releases of systemd rate a little differently.
    assert exposure(UNIT) == pytest.approx(float(claimed[1]), abs=0.3)


def test_the_unit_is_valid(tmp_path: Path):
    """With a program that exists here in the place of portcheck's."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/portcheck/bin/portcheck", shutil.which("true") or "/bin/true"))
    mine = [line for line in analyze("verify", str(unit)).splitlines() if UNIT.name in line]
    assert mine == []


def test_raw_sockets_are_a_matter_of_one_file(tmp_path: Path):
    """The unit has no raw sockets, and the drop-in adds them to it."""
    assert "CAP_NET_RAW" not in UNIT.read_text()
    joined = tmp_path / UNIT.name
    joined.write_text(f"{UNIT.read_text()}\n{RAW.read_text()}")
    for unit, without in ((UNIT, True), (joined, False)):
        rows = json.loads(analyze("security", "--offline=true", "--json=short", str(unit)))
        assert {row["name"]: row["set"] for row in rows}["RestrictAddressFamilies=~AF_PACKET"] is without
