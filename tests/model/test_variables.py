"""Typed variables: what a text, a number or a list comes to, and who wins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.matrix import Variable
from probe.model.ports import PortSet
from probe.model.variables import MOST, Unknown, Value, Values, VariableError, coerce, split_endpoint
from probe.model.words import VariableType

PORT, PORTS, COUNT, BOOLEAN, TEXT, NAMES, ADDRESSES, ENDPOINTS = (
    VariableType.PORT,
    VariableType.PORTS,
    VariableType.COUNT,
    VariableType.BOOLEAN,
    VariableType.TEXT,
    VariableType.NAMES,
    VariableType.ADDRESSES,
    VariableType.ENDPOINTS,
)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (PORT, 22, PortSet.of([22])),
        (PORT, " 22 ", PortSet.of([22])),
        (PORT, "random", Unknown.RANDOM),
        (PORTS, "22,80-81", PortSet.of([22, 80, 81])),
        (PORTS, [22, "80-81"], PortSet.of([22, 80, 81])),
        (PORTS, " unstated ", Unknown.UNSTATED),
        (COUNT, 0, 0),
        (COUNT, " 8 ", 8),
        (BOOLEAN, True, True),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, "off", False),
        (BOOLEAN, 1, True),
        (BOOLEAN, "0", False),
        (TEXT, " r1 ", "r1"),
        (TEXT, 7, "7"),
        (NAMES, "a, b,,a", ("a", "b")),
        (NAMES, ["a", "b.example"], ("a", "b.example")),
        (NAMES, "", ()),
        (ADDRESSES, "10.0.0.1, 10.1.0.0/16,fd00::/8,db.example", ("10.0.0.1", "10.1.0.0/16", "fd00::/8", "db.example")),
        (ENDPOINTS, "r:443, 10.0.0.1:80,[fd00::1]:80", ("r:443", "10.0.0.1:80", "[fd00::1]:80")),
        (ENDPOINTS, ["*.x.example:443"], ("*.x.example:443",)),
        (ENDPOINTS, [], ()),
    ],
)  # fmt: skip
def test_a_value_of_its_type(kind: VariableType, raw: object, value: object) -> None:
    found = coerce(Variable(name="v", type=kind), raw)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "raw", "said"),
    [
        (PORT, "22,23", "must be one port, not 22-23"),
        (PORT, True, "must be a port, a range or a list of them, not True"),
        (COUNT, -1, "must be a whole number from 0 up, not -1"),
        (COUNT, 1.5, "must be a whole number from 0 up, not 1.5"),
        (COUNT, True, "must be a whole number from 0 up, not True"),
        (COUNT, "8000000", "must be a whole number from 0 up, not '8000000'"),
        (BOOLEAN, "maybe", "must be true or false, not 'maybe'"),
        (BOOLEAN, 2, "must be true or false, not 2"),
        (BOOLEAN, [], "must be true or false, not []"),
        (TEXT, " ", "must be a text, not ' '"),
        (TEXT, ["a"], "must be a text, not ['a']"),
        (NAMES, "a b", "'a b' is not a name"),
        (NAMES, ["x"] * (MOST + 1), "has 1001 items: at most 1000 are read"),
        (ADDRESSES, "10.0.0.0/99", "'10.0.0.0/99' is not an address, a name or a network"),
        (ENDPOINTS, "r:http", "'r:http' is no endpoint: write name:443, 192.0.2.1:443 or [2001:db8::1]:443"),
        (ENDPOINTS, "r:70000", "port 70000 does not exist: ports go from 1 to 65535"),
        (TEXT, ["x" * 200], "must be a text, not ['" + "x" * 77 + "…"),
    ],
)
def test_a_value_of_another_type(kind: VariableType, raw: object, said: str) -> None:
    with pytest.raises(VariableError) as caught:
        coerce(Variable(name="v", type=kind), raw, "group web")
    assert str(caught.value) == f"variable 'v' (group web): {said}"
    assert (caught.value.variable, caught.value.value) == ("v", raw)


def test_a_choice() -> None:
    overlay = Variable(name="overlay", type=VariableType.CHOICE, choices=("vxlan", "none"))
    assert coerce(overlay, "none") == "none"
    with pytest.raises(VariableError, match=r"^variable 'overlay': 'gre' is none of vxlan, none$"):
        coerce(overlay, "gre")


@given(
    kind=st.sampled_from(VariableType),
    raw=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers() | st.text()),
)
def test_anything_is_a_value_or_one_error(kind: VariableType, raw: Any) -> None:
    variable = Variable(name="v", type=kind, choices=("a",) if kind is VariableType.CHOICE else ())
    try:
        coerce(variable, raw)
    except VariableError:
        pass


class TestWhoWins:
    @staticmethod
    def values(given: dict[str, object], inventory: dict[str, object]) -> Values:
        variables = {"p": Variable(name="p", default=1), "q": Variable(name="q")}
        return Values(variables, given=given, inventory=inventory, origins={"p": "group web"}, hosts={"w": 2})

    @pytest.mark.parametrize(
        ("given", "inventory", "value", "origin"),
        [
            ({}, {}, 1, "default"),
            ({}, {"p": None}, 1, "default"),
            ({}, {"p": 2}, 2, "group web"),
            ({"p": "3"}, {"p": 2}, 3, "--set"),
        ],
        ids=["default", "null", "inventory", "set"],
    )
    def test_set_over_inventory_over_default(
        self, given: dict[str, object], inventory: dict[str, object], value: int, origin: str
    ) -> None:
        assert self.values(given, inventory).find("p") == Value(PortSet.of([value]), origin)

    def test_one_without_a_value(self) -> None:
        values = self.values({}, {})
        assert values.find("q") is None
        with pytest.raises(VariableError, match=r"^variable 'q' has no value$"):
            values["q"]

    def test_one_of_another_type_says_where_it_came_from(self) -> None:
        with pytest.raises(VariableError, match=r"variable 'p' \(group web\): 'x'"):
            self.values({}, {"p": "x"}).find("p")

    def test_hosts_of_a_role(self) -> None:
        assert [self.values({}, {}).hosts(role) for role in ("w", "v")] == [2, 0]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("db", "db", None),
        ("db:5432", "db", 5432),
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("10.0.0.0/8:443", "10.0.0.0/8", 443),
        ("fd00::1", "fd00::1", None),
        ("[fd00::1]", "fd00::1", None),
        ("[fd00::1]:443", "fd00::1", 443),
        ("*.example.com:443", "*.example.com", 443),
    ],
)
def test_an_endpoint(text: str, host: str, port: int | None) -> None:
    assert split_endpoint(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":443", "db:", "db:0", "db:65536", "a b:1", "[fd00::1]443", "[name]:1", "db:-1", "db:²"]
)
def test_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (of several texts)
        split_endpoint(text)
