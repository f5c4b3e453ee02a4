"""Any bytes load or are refused with SpecError; what is written in INI is read back as it was meant."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import examine

FOLDER = Path(__file__).parent / "bad"

# Pieces that a syntax has rules for, so that random texts get past its first line.
_WORDS = r"""
    [web] [a:vars] [b:children] [ ] { } : :: , ' " \ # ; = a1 w[1:3] [01:02] x=1 x='a b' portcheck_zone=dmz 10.0.0.1
    all: hosts: children: vars: - ? | > & * << !vault !!int --- ... %YAML ~ yes 010 {{x}} _meta hostvars null true 1e5
    ansible_host ansible_host= portcheck_address= portcheck_agent=https://h:1 {[]:1} é
"""
PIECES = st.sampled_from([*_WORDS.split(), "\ufeff", "\0", "\x85"])
GAPS = st.sampled_from(["\n", "\n", "\n  ", "\n    ", " ", "", "\t", "\r\n", ": ", "\u2028"])
TEXTS = st.lists(st.tuples(PIECES, GAPS), max_size=40).map(lambda parts: "".join(map("".join, parts)))
NAMES = st.sampled_from(["hosts.txt", "hosts.yml", "hosts.json", "hosts"])


def _load(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(data)
        try:
            inventory, warnings = examine(str(file))
        except SpecError as error:
            for problem in error.diagnostics:
                assert problem.message
                assert problem.line <= len(data.decode(errors="replace").splitlines()) + 1
                assert (problem.line == 0) == (problem.column == 0)
                assert all(line.isprintable() for line in problem.render().split("\n"))
        else:
            assert inventory.hosts
            assert all(host.addresses for host in inventory.hosts.values())
            assert all(warning.render() for warning in warnings)


@settings(max_examples=400, deadline=5000)
@given(NAMES, TEXTS)
def test_any_text(name: str, text: str) -> None:
    _load(name, text.encode())


@settings(max_examples=200, deadline=5000)
@given(NAMES, st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    _load(name, data)


@settings(max_examples=150, deadline=5000)
@given(
    st.sampled_from(sorted(file for file in FOLDER.iterdir() if file.suffix != ".txt")),
    st.integers(0, 400),
    st.integers(0, 8),
    st.binary(max_size=4),
)
def test_any_damage(file: Path, begin: int, length: int, put: bytes) -> None:
    data = file.read_bytes()
    _load(file.name, data[:begin] + put + data[begin + length :])


@pytest.mark.parametrize("value", ["[" * 100_000, "-" * 60_000 + "1", "9" * 60_000, "(" * 200 + ")" * 200, "1+" * 9000])
@pytest.mark.parametrize("name", ["hosts.txt", "hosts.yml", "hosts.json"])
def test_values_that_parsers_choke_on(name: str, value: str) -> None:
    _load(name, f"a1 x={value}\n[all:vars]\nx={value}\n".encode())
    _load(name, f"all: {{hosts: {{a1: {{x: {value}}}}}}}\n".encode())
    _load(name, f'{{"all": {{"hosts": {{"a1": {{"x": {value}}}}}}}}}\n'.encode())


WORD = st.text("abcdefghijklmnop0123456789", min_size=1, max_size=6).map(lambda text: f"n{text}")
# What repr() writes and a Python literal reads back; the characters of text are those of one line.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=5,
)
VARIABLES = st.dictionaries(WORD, VALUES, max_size=3)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


@settings(max_examples=80, deadline=5000)
@given(
    st.dictionaries(
        WORD.map(lambda name: f"g{name}"), st.tuples(st.dictionaries(WORD, VARIABLES, max_size=4), VARIABLES)
    ),
    st.data(),
)
def test_ini_reads_back(
    groups: dict[str, tuple[dict[str, dict[str, Any]], dict[str, Any]]], data: st.DataObject
) -> None:
    lines, own, inherited = [], {}, {}
    members: dict[str, list[str]] = {}
    for name, (hosts, variables) in groups.items():
        lines.append(f"[{name}]")
        for host, values in hosts.items():
            gap = data.draw(st.sampled_from([" ", "  ", "\t"]))
            words = [host, *(f"{key}={_shell(repr(value))}" for key, value in values.items())]
            lines.append(gap.join(words) + data.draw(st.sampled_from(["", " # comment", "  "])))
            own.setdefault(host, {}).update(values)
            members.setdefault(name, []).append(host)
        lines.append(f"[{name}:vars]")
        lines += [f"{key} = {value!r}" for key, value in variables.items()]
    # Groups of one depth: the later name wins.
    for name in sorted(groups):
        for host in members.get(name, ()):
            inherited.setdefault(host, {}).update(groups[name][1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hosts.txt"
        file.write_text("\n".join(lines), encoding="utf-8")
        if not own:
            with pytest.raises(SpecError, match="no hosts"):
                examine(str(file))
            return
        inventory, _ = examine(str(file))
    assert {name: host.vars for name, host in inventory.hosts.items()} == {
        name: {**inherited[name], **values} for name, values in own.items()
    }
    assert {name: list(inventory.groups[name]) for name in groups} == {name: members.get(name, []) for name in groups}
