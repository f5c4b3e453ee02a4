"""A matrix that was written from docs/matrix.md alone, and five slips of different kinds that its writer made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probe.model.words import Expect
from probe.plan import Plan, Wishes
from probe.spec import inventory, matrix

HERE = Path(__file__).parent
TRIAL = HERE / "trial.yaml"
# A variable without quotes, a port that does not exist, a choice taken for true or false, a service that is spelt
# otherwise, a row that wants what another forbids.
SLIPS = {
    'portal, port: "{portal_port}", protocol: https': "portal, port: {portal_port}, protocol: https",
    "port: 1024-65535": "port: 1024-65536",
    "when: {variable: discovery, is: consul}": "when: discovery",
    "to: jobs, cite: network}\n  - {id: fetch": "to: job, cite: network}\n  - {id: fetch",
    "{id: administration, from: portal,": "{id: administration, from: [portal, camera],",
}
HOSTS = """\
[ui]
p1 ansible_host=10.0.0.1
[gateway]
g1 ansible_host=10.0.0.2 site=a
[scheduler]
s1 ansible_host=10.0.0.3
s2 ansible_host=10.0.0.4
[gpu]
w1 ansible_host=10.0.0.5 portcheck_address=10.0.0.5,10.20.0.5 gpus=4 site=a
w2 ansible_host=10.0.0.6 portcheck_address=10.0.0.6,10.20.0.6 gpus=0 site=b
[db]
d1 ansible_host=10.0.0.7 standby=d2
d2 ansible_host=10.0.0.8
[all:vars]
storage_net=10.20.0.0/16
[cameras]
c1 ansible_host=192.0.2.7 portcheck_zone=outside
"""


def slipped(*slips: str) -> str:
    text = TRIAL.read_text(encoding="utf-8")
    for slip in slips:
        assert text.count(slip) == 1, slip
        text = text.replace(slip, SLIPS[slip])
    return text


def lint(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("reel.yaml").write_text(text, encoding="utf-8")
    return [found.render() for found in matrix.lint(["reel.yaml"])]


def test_without_slips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lint(slipped(), tmp_path, monkeypatch) == []


def test_all_five_are_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lint(slipped(*SLIPS), tmp_path, monkeypatch)
    shown = "".join(f"{message}\n" for message in found)
    if os.environ.get("PORTCHECK_UPDATE"):
        (HERE / "trial.txt").write_text(shown, encoding="utf-8")
    assert shown == (HERE / "trial.txt").read_text(encoding="utf-8")
    assert len(found) == len(SLIPS)
    for message in found:
        head, line, caret, hint = message.splitlines()
        assert head.startswith("reel.yaml:")
        assert line.strip()
        assert caret.strip() == "^"
        assert hint.startswith("  hint: ")


@pytest.mark.parametrize("slip", SLIPS, ids=range(len(SLIPS)))
def test_each_is_found_alone(slip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = lint(slipped(slip), tmp_path, monkeypatch)
    assert f"{message}\n" in (HERE / "trial.txt").read_text(encoding="utf-8")


def test_it_means_what_its_writer_meant(tmp_path: Path) -> None:
    """The rows in which the page could be misread."""
    (tmp_path / "hosts").write_text(HOSTS)
    plan = Plan(matrix.load([str(TRIAL)]), inventory.load(str(tmp_path / "hosts")), Wishes(profile="archive"))
    checks = list(plan.all_checks())
    reach = {
        (check.rule, check.source, check.target, check.address, f"{check.transport} {check.ports}")
        for check in checks
        if check.expect is Expect.REACH
    }
    rules = {
        # One port for each GPU, at the storage network's address, within a site, and back.
        "frames": {
            ("g1", "w1", "10.20.0.5", "tcp 7100-7103"),
            ("w1", "g1", "10.0.0.2", "udp 1024-65535"),
        },
        # Each to the other, on both transports.
        "pair": {
            ("s1", "s2", "10.0.0.4", "tcp 7001"),
            ("s1", "s2", "10.0.0.4", "udp 7001"),
            ("s2", "s1", "10.0.0.3", "tcp 7001"),
            ("s2", "s1", "10.0.0.3", "udp 7001"),
        },
        "replication": {("d1", "d2", "10.0.0.8", "tcp 5432")},
        "console": {("d1", "d1", "127.0.0.1", "tcp 8008"), ("d2", "d2", "127.0.0.1", "tcp 8008")},
        "video": {("c1", "g1", "10.0.0.2", "udp 1024-65535")},
        "find": {(worker, "consul.example.com", "consul.example.com", "tcp 8501") for worker in ("w1", "w2")},
        "users": {("c1", "p1", "10.0.0.1", "tcp 443")},
    }
    for rule, expected in rules.items():
        assert {row[1:] for row in reach if row[0] == rule} == expected, rule
    never = {check.target for check in checks if check.rule == "no-ssh-from-cameras"}
    assert never == {"p1", "g1", "s1", "s2", "w1", "w2", "d1", "d2"}
    assert [(row.service, row.reason) for row in plan.unchecked] == [
        ("archive", "no endpoint is given: set archives"),
    ]
