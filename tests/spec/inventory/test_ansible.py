"""The same inventories read by ansible-core and by portcheck: hosts, groups, children, variables and their types.

A case in `ansible/` is a file, or a directory with `hosts*` or `inventory/` in it, read with `cwd/` as the working
directory if there is one. Those in `same/` give the same; those in `rejected/` are refused by both; those in `differs/`
and `unsupported/` are what docs/inventory.md says of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import load

HERE = Path(__file__).parent
FOLDER = HERE / "ansible"


def cases(kind: str) -> list[str]:
    return sorted(f"{kind}/{path.name}" for path in (FOLDER / kind).iterdir())


SAME, REJECTED, UNSUPPORTED = cases("same"), cases("rejected"), cases("unsupported")
# Ansible is content with these: with no hosts at all, or with less than the file says.
EMPTY, LESS = cases("differs/empty"), cases("differs/less")
LISTING, SCRIPT, BRACKETS = "differs/listing/listing.json", "differs/listing/script", "differs/brackets"


def inventory(case: str) -> Path:
    path = FOLDER / case
    if path.is_dir():
        (path,) = [entry for entry in path.iterdir() if entry.name == "inventory" or entry.name.startswith("hosts")]
    return path


def folder(case: str) -> Path:
    """The working directory: one without group_vars, unless the case has its own."""
    own = FOLDER / case / "cwd"
    return own if own.is_dir() else FOLDER


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ansible-core says of each case, without a configuration or a home of this machine."""
    home = tmp_path_factory.mktemp("ansible")
    (home / "ansible.cfg").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        # Otherwise it warns of what it cannot read, and goes on.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
    }
    names = [*SAME, *REJECTED, *EMPTY, *LESS, SCRIPT, LISTING, BRACKETS]
    done = subprocess.run(
        [sys.executable, HERE / "oracle.py"],
        input=json.dumps([[str(inventory(name)), str(folder(name))] for name in names]),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(names, json.loads(done.stdout), strict=True))


def ours(case: str) -> dict[str, Any]:
    found = load(str(inventory(case)))
    return {
        "hosts": {name: host.vars for name, host in found.hosts.items()},
        "groups": found.groups,
        "children": found.children,
    }


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Types told apart (to Python 1, 1.0 and True are equal); a group's hosts sorted, as Ansible has no order there."""
    assert "error" not in answer, answer["error"]
    hosts = json.loads(json.dumps(answer["hosts"]), object_hook=_unmarked)
    return {
        "hosts": {name: json.dumps(found, sort_keys=True) for name, found in hosts.items()},
        "groups": {name: sorted(members) for name, members in answer["groups"].items()},
        "children": {name: list(children) for name, children in answer["children"].items()},
    }


def _unmarked(value: dict[str, Any]) -> Any:
    """Without the mark that Ansible puts round text that is no template."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value


def refused(case: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder(case))
    with pytest.raises(SpecError) as caught:
        load(str(inventory(case)))
    return str(caught.value)


def test_there_are_enough_cases() -> None:
    assert len(SAME) >= 40


@pytest.mark.parametrize("case", SAME)
def test_same(case: str, ansible: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder(case))
    assert ansible[case]["hosts"]
    assert comparable(ours(case)) == comparable(ansible[case])


@pytest.mark.parametrize("case", REJECTED)
def test_rejected_by_both(case: str, ansible: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "error" in ansible[case]
    assert refused(case, monkeypatch)


@pytest.mark.parametrize("case", EMPTY)
def test_difference_1_nothing_is_an_error(case: str, ansible: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert ansible[case]["hosts"] == {}
    assert refused(case, monkeypatch)


@pytest.mark.parametrize("case", LESS)
def test_difference_1_less_than_the_file_says_is_an_error(
    case: str, ansible: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "error" not in ansible[case]
    assert refused(case, monkeypatch)


def test_difference_2_a_listing_is_read_as_what_it_is(ansible: dict[str, Any]) -> None:
    assert "error" in ansible[LISTING]
    # A script that prints the same is how Ansible reads it.
    assert comparable(ours(LISTING)) == comparable(ansible[SCRIPT])


def test_difference_3_brackets_round_an_address_are_taken_off(ansible: dict[str, Any]) -> None:
    assert ansible[BRACKETS]["hosts"]["w1"] == {"ansible_host": "[2001:db8::1]"}
    assert comparable(ours(BRACKETS)) == comparable(ansible[BRACKETS])
    hosts = load(str(inventory(BRACKETS))).hosts
    assert [host.addresses for host in hosts.values()] == [("2001:db8::1",), ("2001:db8::2",)]


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_is_not_read_says_what_to_do(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ansible-inventory" in refused(case, monkeypatch)
