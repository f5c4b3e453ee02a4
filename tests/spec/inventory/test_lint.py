from __future__ import annotations

from typing import TYPE_CHECKING

from probe.spec.diagnostics import Severity
from probe.spec.inventory import examine, lint

if TYPE_CHECKING:
    from pathlib import Path


def warnings(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    file = tmp_path / "hosts.txt"
    file.write_text(text)
    inventory, found = examine(str(file))
    assert all(warning.severity is Severity.WARNING for warning in found)
    assert all(warning.file == str(file) for warning in found)
    # Without the draft there are the same warnings, without places.
    assert sorted(warning.message for warning in lint(inventory)) == sorted(warning.message for warning in found)
    return [(warning.line, warning.message) for warning in found]


def test_nothing(tmp_path: Path) -> None:
    assert warnings(tmp_path, "[web]\nw1\n[db]\nd1\nw1\n") == []


def test_two_names_for_one_address(tmp_path: Path) -> None:
    text = "[web]\nw1 ansible_host=10.0.0.1\nw2 ansible_host=10.0.0.2\nw3 portcheck_address=10.0.0.3,10.0.0.1\n"
    assert warnings(tmp_path, text) == [(4, "'w3' has the address 10.0.0.1, and so has 'w1'")]


def test_no_role(tmp_path: Path) -> None:
    text = "a1\nb1 portcheck_roles=web\n"
    assert warnings(tmp_path, text) == [(1, "'a1' has no role: no flow of a matrix will name it")]


def test_a_host_named_as_a_group(tmp_path: Path) -> None:
    assert warnings(tmp_path, "[web]\nweb\n") == [(2, "'web' is a host and a group")]


def test_a_group_without_hosts(tmp_path: Path) -> None:
    text = "[web]\nw1\n[db]\n[site:children]\ndb\n"
    assert warnings(tmp_path, text) == [(3, "no host is in the group 'db'"), (4, "no host is in the group 'site'")]


def test_a_group_that_a_matrix_would_take_for_something_else(tmp_path: Path) -> None:
    text = "[outside]\no1\n"
    assert warnings(tmp_path, text) == [(1, "the group 'outside' has the name of something else in a matrix")]
