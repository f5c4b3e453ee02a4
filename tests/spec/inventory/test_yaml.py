"""The rules of the YAML syntax. Each expected value was read from `ansible-inventory --list` of ansible-core 2.19."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.spec.diagnostics import SpecError

if TYPE_CHECKING:
    from conftest import Load


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("010", 8),
        ("0x1f", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("22:22", 1342),
        ("09", "09"),
        ("1e3", "1e3"),
        ("1.0e+3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", "-.5"),
        ("-.inf", float("-inf")),
        ("yes", True),
        ("Off", False),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("none", "none"),
        ("2001-01-02", "2001-01-02"),
        ("2001-01-02 03:04:05 +1", "2001-01-02T03:04:05+01:00"),
        ("10.0.0.1", "10.0.0.1"),
        ("'1'", "1"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("!unsafe '{{ x }}'", "{{ x }}"),
        ("'{{ x }}'", "{{ x }}"),
        ("[1, [a]]", [1, ["a"]]),
        ("{a: 1, 2: b}", {"a": 1, 2: "b"}),
        ("a#b # c", "a#b"),
    ],
)
def test_value(written: str, value: object, read: Load) -> None:
    found = read(f"all:\n  hosts:\n    a1:\n      x: {written}\n", "hosts.yml").hosts["a1"].vars["x"]
    assert found == value
    assert type(found) is type(value)


def test_shape(read: Load) -> None:
    found = read(
        """
all:
  hosts: b1
  vars: {x: all}
  children:
    web:
      hosts:
        w[1:2]:22:
          y: 1
        b1:
      vars:
    empty:
    site:
      children:
        web:
      vars: {x: site}
""",
        "hosts.yaml",
    )
    assert found.groups == {
        "all": ("b1", "w1", "w2"),
        "ungrouped": (),
        "web": ("w1", "w2", "b1"),
        "empty": (),
        "site": ("w1", "w2", "b1"),
    }
    assert found.hosts["w2"].vars == {"x": "site", "ansible_port": 22, "y": 1}
    assert found.hosts["b1"].roles == ("web", "site")
    assert found.vars == {"x": "all"}


def test_anchors_and_merges(read: Load) -> None:
    found = read(
        """
all:
  vars: {base: &base {x: 1, y: 1, z: 1}}
  hosts:
    a1: {<<: *base, y: 2}
    b1:
      z: 3
      <<: [{x: 5}, *base]
""",
        "hosts.yml",
    )
    assert {name: value for name, value in found.hosts["a1"].vars.items() if name != "base"} == {"x": 1, "y": 2, "z": 1}
    assert {name: value for name, value in found.hosts["b1"].vars.items() if name != "base"} == {"x": 5, "y": 1, "z": 3}


def test_a_colon_in_the_name_of_an_anchor(read: Load) -> None:
    with pytest.raises(SpecError, match="a colon in the name of the anchor 'web:'"):
        read("all:\n  &web: {hosts: a1}\n", "hosts.yml")


def test_aliases_do_not_grow_without_end(read: Load) -> None:
    levels = "".join(f"    x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]\n" for level in range(1, 10))
    with pytest.raises(SpecError, match="aliases that expand to more than"):
        read(f"all:\n  vars:\n    x0: &x0 [1]\n{levels}  hosts:\n    a1:\n", "hosts.yml")


@pytest.mark.parametrize(("name", "start"), [("hosts.yml", "{all: "), ("hosts.json", '{"all": ')])
@pytest.mark.parametrize("depth", [100, 5000])
def test_depth_is_bounded(name: str, start: str, depth: int, read: Load) -> None:
    with pytest.raises(SpecError, match="deep"):
        read(start + '{"vars": {"x": ' + "[" * depth + "]" * depth + "}}}", name)


@pytest.mark.parametrize("start", ["---\n", "# comment\n\n", "%YAML 1.1\n---\n", "\ufeff"])
def test_a_file_without_extension_is_yaml_if_it_looks_so(start: str, read: Load) -> None:
    assert list(read(f"{start}all:\n  hosts:\n    a1:\n", "hosts").hosts) == ["a1"]


def test_a_flow_mapping_is_no_json(read: Load) -> None:
    assert list(read("{all: {hosts: {a1: }}}", "hosts.yml").hosts) == ["a1"]
