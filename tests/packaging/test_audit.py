"""The units and the job of the audit: valid, and as little exposed as they say of themselves."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from probe.cli.main import parser_for

from .test_unit import analyze, exposure

PACKAGING = Path(__file__).parents[2] / "packaging"
SERVICE, ONCE = PACKAGING / "portcheck-audit.service", PACKAGING / "portcheck-audit-once.service"
TIMER, JOB = PACKAGING / "portcheck-audit.timer", PACKAGING / "kubernetes" / "cronjob.yaml"

systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there (Debian: apt-get install systemd)"
)


@systemd
def test_the_units_are_hardened():
    claimed = re.search(r"rates this unit ([\d.]+)", SERVICE.read_text())
    assert claimed
    for unit in (SERVICE, ONCE):
        assert exposure(unit) == pytest.approx(float(claimed[1]), abs=0.3)
        assert "\nLimitCORE=0\n" in unit.read_text()  # which systemd-analyze does not rate


@systemd
def test_the_units_are_valid(tmp_path: Path):
    """With a program that exists here in the place of portcheck's."""
    for unit in (SERVICE, ONCE, TIMER):
        text = unit.read_text().replace("/opt/portcheck/bin/portcheck", shutil.which("true") or "/bin/true")
        (tmp_path / unit.name).write_text(text)
    said = analyze("verify", str(tmp_path / SERVICE.name), str(tmp_path / TIMER.name))
    assert [line for line in said.splitlines() if "portcheck-audit" in line] == []


def test_both_units_are_one_user():
    """systemd gives the state folder to the user of the unit that it starts, a service that is running or not."""
    users = [re.findall(r"^(?:User|StateDirectory)=(.*)$", unit.read_text(), re.MULTILINE) for unit in (SERVICE, ONCE)]
    assert users == [["portcheck-audit", "portcheck"]] * 2


def test_what_they_start_is_understood():
    words = [
        line.split()[1:]
        for line in re.findall(r"^ExecStart=(.*)$", ONCE.read_text() + SERVICE.read_text(), re.MULTILINE)
    ]
    words.append(job()["containers"][0]["args"])
    for command in words:
        parser, _ = parser_for("audit")
        assert parser.parse_known_args(command)[1] == []


def job() -> dict:
    documents = list(YAML(typ="safe").load_all(JOB.read_text()))
    assert [document["kind"] for document in documents] == ["CronJob", "PersistentVolumeClaim"]
    cron = documents[0]["spec"]
    assert (cron["concurrencyPolicy"], cron["timeZone"]) == ("Forbid", "Europe/Berlin")
    return cron["jobTemplate"]["spec"]["template"]["spec"]


def test_the_job_has_no_rights_and_writes_to_its_volumes_alone():
    pod = job()
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
