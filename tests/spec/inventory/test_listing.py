from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import examine, load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Load

# As `ansible-inventory --list` prints it.
LISTING: dict[str, Any] = {
    "_meta": {
        "hostvars": {
            "w1": {"ansible_host": "10.0.0.1", "x": [1, True, None]},
            "w2": {"secret": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}, "raw": {"__ansible_unsafe": "{{ x }}"}},
        },
        "profile": "inventory_legacy",
    },
    "all": {"children": ["ungrouped", "site"]},
    "site": {"children": ["web"], "vars": {"s": 1}},
    "ungrouped": {"hosts": ["b1"]},
    "web": {"hosts": ["w1", "w2"]},
}


def test_listing(read: Load) -> None:
    # The name says nothing; the first character does.
    found = read(json.dumps(LISTING), "hosts.txt")
    assert found.groups == {
        "all": ("b1", "w1", "w2"),
        "ungrouped": ("b1",),
        "site": ("w1", "w2"),
        "web": ("w1", "w2"),
    }
    assert found.hosts["w1"].vars == {"s": 1, "ansible_host": "10.0.0.1", "x": [1, True, None]}
    # What is encrypted is no problem as long as nobody needs it.
    assert found.hosts["w2"].vars == {"s": 1, "secret": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}, "raw": "{{ x }}"}
    assert found.hosts["w1"].addresses == ("10.0.0.1",)
    assert found.hosts["w1"].roles == ("web", "site")


def test_without_meta(tmp_path: Path) -> None:
    file = tmp_path / "hosts.json"
    file.write_text('{"web": ["w1"], "db": {"hosts": ["d1"]}, "lone": {"x": 1}}')
    inventory, warnings = examine(str(file))
    assert list(inventory.hosts) == ["w1", "d1", "lone"]
    assert any("`_meta.hostvars`" in warning.message for warning in warnings)
    assert inventory.hosts["lone"].vars == {"x": 1}


def test_names_are_no_patterns_in_a_listing(read: Load) -> None:
    text = '{"_meta": {"hostvars": {"w[1:2]": {"ansible_host": "10.0.0.1"}}}, "web": {"hosts": ["w[1:2]"]}}'
    assert list(read(text).hosts) == ["w[1:2]"]


def test_the_shape_of_yaml(read: Load) -> None:
    found = read('{"web": {"hosts": {"w[1:2]": {"x": 1}}, "vars": {"y": 2}}}', "hosts.json")
    assert found.hosts["w2"].vars == {"y": 2, "x": 1}


def test_a_host_that_no_group_lists_is_none(tmp_path: Path) -> None:
    file = tmp_path / "hosts.json"
    file.write_text('{"_meta": {"hostvars": {"w1": {}, "ghost": {"x": 1}}}, "web": {"hosts": ["w1"]}}')
    inventory, warnings = examine(str(file))
    assert list(inventory.hosts) == ["w1"]
    assert [(warning.line, warning.column) for warning in warnings] == [(1, 35)]


def test_equal_keys_deep_inside(read: Load) -> None:
    with pytest.raises(SpecError, match=r":2:6: the key 'b' is here twice: line 1 has it"):
        read('{"all": {"vars": {"x": [1, {"b": [{}],\n     "b": 2}]}, "hosts": {"a1": null}}}', "hosts.json")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        buffer = io.BytesIO(json.dumps(LISTING).encode())

    monkeypatch.setattr(sys, "stdin", Stream())
    found = load("-")
    assert found.source == "<stdin>"
    assert len(found.hosts) == 3


def test_a_long_text_that_is_no_json_is_not_tried_as_yaml(read: Load) -> None:
    assert list(read('{"all": {"hosts": {"a1": {},}}}', "hosts.json").hosts) == ["a1"]
    with pytest.raises(SpecError, match="this is no JSON"):
        read('{"all": {"hosts": {"a1": {"x": "%s"},}}}' % ("x" * 100_000), "hosts.json")


def test_json_of_another_shape_has_a_name_that_says_so(read: Load) -> None:
    with pytest.raises(SpecError, match=r":2:1: this is JSON, and the name of the file says INI"):
        read('\n{"all": {"hosts": {"a1": {}}}}', "hosts.txt")
