"""The rules of the INI syntax. Each expected value was read from `ansible-inventory --list` of ansible-core 2.19."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Load

    Variables = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("x=1", 1),
        ("x=010", "010"),
        ("x=0x1f", 31),
        ("x=1_000", 1000),
        ("x=-5", -5),
        ("x=1.5", 1.5),
        ("x=True", True),
        ("x=true", "true"),
        ("x=yes", "yes"),
        ("x=None", None),
        ("x=", ""),
        ("x=''", ""),
        ("x=a=b", "a=b"),
        ("x='a b'", "a b"),
        ("x='5'", 5),
        ("x=\"'5'\"", "5"),
        ("x=[1,2]", [1, 2]),
        ("x='[1, \"a\"]'", [1, "a"]),
        ("x=(1,2)", [1, 2]),
        ("x={1}", [1]),
        ("x=\"{'a': 1}\"", {"a": 1}),
        ("x={'a':1}", "{a:1}"),
        ("x=...", "..."),
        ("x=1+2j", "(1+2j)"),
        ("x=\"b'x'\"", "x"),
        ("x=a;b", "a;b"),
        ("x=a#b", "a"),
        ("x='a#b'", "a#b"),
        ("x=a # comment", "a"),
        (r"x=a\ b", "a b"),
        ("x=a y=2 x=b", "b"),
        ("x={{y}}", "{{y}}"),
        ("x=1e999j", "infj"),
    ],
)
def test_value_on_a_host_line(written: str, value: object, variables: Variables) -> None:
    found = variables(f"a1 {written}\n")["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("x=1", 1),
        ("x = a", "a"),
        ("x=a b", "a b"),
        ("x=a # b", "a # b"),
        ("x='a # b'", "a # b"),
        ("x='a' b", "'a' b"),
        # A literal's own comment: Python reads past it.
        ("x=1 # one", 1),
        ("x=[1, 'a']", [1, "a"]),
        ("x={'a': 1}", {"a": 1}),
        ("x=a=b", "a=b"),
        ("x=", ""),
        ("x=a;b", "a;b"),
        (r"x=a\b", r"a\b"),
        ('x="unclosed', '"unclosed'),
    ],
)
def test_value_in_a_vars_section(written: str, value: object, variables: Variables) -> None:
    found = variables(f"a1\n[all:vars]\n# x=0\n; x=0\n{written}\n")["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(end: str, last: bool, read: Load) -> None:
    lines = ["[web]  # comment", "", "  w1  x=1\t", "; comment", "[all:vars]", "y=2"]
    found = read(end.join(lines) + (end if last else ""))
    assert found.groups["web"] == ("w1",)
    assert found.hosts["w1"].vars == {"x": 1, "y": 2}


def test_port_counts_where_the_host_is_named_first(read: Load) -> None:
    found = read("a1:22\na1:33\nb1\nb1:44\nc1:55 ansible_port=66\nd1:0\n")
    assert [host.vars for host in found.hosts.values()] == [
        {"ansible_port": 22},
        {},
        {"ansible_port": 66},
        {},
    ]


def test_children_may_be_declared_later(read: Load) -> None:
    found = read("[site:children]\nweb\nrack\n[site:vars]\nx=1\n[rack:children]\nweb\n[web]\nw1\n")
    assert found.groups["site"] == ("w1",)
    assert found.hosts["w1"].roles == ("web", "rack", "site")
    assert found.hosts["w1"].vars == {"x": 1}


def test_bracketed_host_beside_section_headers(read: Load) -> None:
    found = read("[web]\n[10.0.0.1]:22\n[a:b]-web ansible_host=10.0.0.2\n[2001:db8::1]:22\n")
    assert list(found.hosts) == ["10.0.0.1", "a-web", "b-web", "2001:db8::1"]


def test_all_problems_at_once_in_the_files_order(read: Load) -> None:
    with pytest.raises(Exception, match=r"(?s):2:5: .*:3:4: .*:5:1: .*:6:1: ") as caught:
        read("[web]\nweb[3:1]\nw1 portcheck_zone=dmz\n[x:children]\nnone\nnothing\n")
    assert type(caught.value).__name__ == "SpecError"


def test_messages_are_bounded(read: Load) -> None:
    with pytest.raises(Exception, match="more than 100 problems") as caught:
        read("[web]\n" + "w1 debug\n" * 5000)
    assert len(str(caught.value).splitlines()) < 500
