"""Port texts with their variables: what they come to, and what is said of one that comes to nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.expand import UnknownPorts, count_of, expand, port_parts, roles_of, variables_of
from probe.model.ports import PortError, PortSet
from probe.model.variables import VariableError
from probe.model.words import VariableType

VALUES: dict[str, object] = {
    "port": 9000,
    "text": " 9001 ",
    "range": "5000-5002",
    "many": [4150, "4151", "4160-4161"],
    "low": "100",
    "high": 102,
    "n": "3",
    "none": 0,
}
COUNTS = {"n": VariableType.COUNT, "none": VariableType.COUNT}


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("22", "22"),
        ("5000-6000", "5000-6000"),
        ("4160,4150,4151", "4150-4151,4160"),
        ("{port}", "9000"),
        ("{ port }", "9000"),
        ("{text}", "9001"),
        ("{range}", "5000-5002"),
        ("{many}", "4150-4151,4160-4161"),
        ("{low}-{high}", "100-102"),
        ("{low} \u2013 110", "100-110"),  # an en dash
        ("90-{low}", "90-100"),
        ("{port},22,{range}", "22,5000-5002,9000"),
        ("{port + 10000}", "19000"),
        ("{port+n}", "9003"),
        ("{port - 2 * n}", "8994"),
        ("{2 * n * n + port - 1}", "9017"),
        ("{port}-{port + n - 1}", "9000-9002"),
        ("{port + 1}-9010", "9001-9010"),
        ("{port + hosts(worker)}", "9002"),
        ("{port + hosts( worker ) * 10 - hosts(nobody)}", "9020"),
        ("{n}", "3"),
        ("{port}-{port + none - 1}", ""),
        ("22,{port}-{port + none - 1}", "22"),
    ],
)
def test_works_out(values: Any, text: str, ports: str) -> None:
    assert str(expand(text, values(VALUES, hosts={"worker": 2}, **COUNTS))) == ports


@pytest.mark.parametrize(
    ("text", "inventory", "variable", "message"),
    [
        ("{x}", {}, "x", "variable 'x' has no value"),
        ("{x}", {"x": None}, "x", "variable 'x' has no value"),
        ("{x}", {"x": "http"}, "x", "variable 'x' (host): 'http' is neither a port nor a range of ports"),
        ("{x}", {"x": 70000}, "x", "variable 'x' (host): port 70000 does not exist: ports go from 1 to 65535"),
        ("{x}", {"x": ""}, "x", "variable 'x' (host): '' is neither a port nor a range of ports"),
        ("{x}", {"x": True}, "x", "variable 'x' (host): must be a port, a range or a list of them, not True"),
        ("{x}", {"x": 80.0}, "x", "variable 'x' (host): must be a port, a range or a list of them, not 80.0"),
        ("{x}", {"x": []}, "x", "variable 'x' (host): must be a port, a range or a list of them, not []"),
        (
            "{x}",
            {"x": [80, None]},
            "x",
            "variable 'x' (host): must be a port, a range or a list of them, not [80, None]",
        ),
        ("{x}", {"x": {"a": 1}}, "x", "variable 'x' (host): must be a port, a range or a list of them, not {'a': 1}"),
    ],
)
def test_a_value_that_is_none_is_named(
    values: Any, text: str, inventory: dict[str, object], variable: str, message: str
) -> None:
    with pytest.raises(VariableError) as caught:
        expand(text, values(inventory))
    assert (str(caught.value), caught.value.variable) == (message, variable)
    assert caught.value.value == inventory.get(variable)


@pytest.mark.parametrize(
    ("text", "inventory", "message"),
    [
        ("{x}-90", {"x": "80,81"}, "variable 'x' must be one port here, not 80-81"),
        ("{x + 1}", {"x": "80,81"}, "variable 'x' must be one port here, not 80-81"),
        ("{x}-90", {"x": 91}, "the range {x}-90 runs backwards: it comes to 91-90"),
        ("80-{x}", {"x": 79}, "the range 80-{x} runs backwards: it comes to 80-79"),
        ("{x}-{x - 2}", {"x": 80}, "the range {x}-{x - 2} runs backwards: it comes to 80-78"),
        ("{x - 80}", {"x": 80}, "{x - 80} comes to 0: ports go from 1 to 65535"),
        ("{x}-{x + 60000}", {"x": 8080}, "{x}-{x + 60000} comes to 68080: ports go from 1 to 65535"),
    ],
)
def test_what_does_not_work_out_is_blamed_on_its_variable(
    values: Any, text: str, inventory: dict[str, object], message: str
) -> None:
    with pytest.raises(VariableError) as caught:
        expand(text, values(inventory))
    assert (str(caught.value), caught.value.variable) == (message, "x")


def test_a_variable_that_is_no_number_cannot_be_calculated_with(values: Any) -> None:
    with pytest.raises(VariableError, match="variable 'x' is no port and no number: 'a1'"):
        expand("{x + 1}", values({"x": "a1"}, x=VariableType.TEXT))


class TestPortsThatNobodyKnows:
    @pytest.mark.parametrize(
        ("text", "inventory", "reason", "variable"),
        [
            ("random", {}, "the port is chosen at random at each start", ""),
            (" unstated ", {}, "the document does not say which port", ""),
            ("{x}", {"x": "random"}, "the port is chosen at random at each start; set x to check it", "x"),
            ("{a},{x}", {"x": "unstated", "a": 1}, "the document does not say which port; set x to check it", "x"),
            ("{x}-{x + 3}", {"x": "random"}, "the port is chosen at random at each start; set x to check it", "x"),
            ("80-{x + 3}", {"x": "random"}, "the port is chosen at random at each start; set x to check it", "x"),
        ],
    )
    def test_say_why(self, values: Any, text: str, inventory: dict[str, object], reason: str, variable: str) -> None:
        with pytest.raises(UnknownPorts) as caught:
            expand(text, values(inventory))
        assert (str(caught.value), caught.value.variable) == (reason, variable)

    def test_stand_alone(self) -> None:
        with pytest.raises(PortError):
            port_parts("22,random")

    def test_blame_the_variable_that_is_unknown(self, values: Any) -> None:
        with pytest.raises(UnknownPorts) as caught:
            expand("{a + b}", values({"a": "random", "b": 1}))
        assert caught.value.variable == "a"


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("", 0, "neither a port"),
        ("{", 0, "neither a port"),
        ("{}", 0, "neither a port"),
        ("{a b}", 0, "is no expression"),
        ("{a +}", 0, "is no expression"),
        ("{+ a}", 0, "is no expression"),
        ("{a / 2}", 0, "is no expression"),
        ("{hosts()}", 0, "is no expression"),
        ("{" + "+".join("a" * 17) + "}", 0, "is no expression"),
        ("5{port}", 0, "neither a port"),
        ("{a}{b}", 0, "neither a port"),
        ("{a}-{b}-{c}", 0, "neither a port"),
        ("22, 0-{a}", 4, "port 0 does not exist"),
        ("{a}-70000", 0, "port 70000 does not exist"),
        ("{port} + 1", 0, "write {port + 1}"),
    ],
)
def test_refuses_what_no_value_can_mend(text: str, offset: int, said: str) -> None:
    with pytest.raises(PortError) as caught:
        port_parts(text)
    assert not isinstance(caught.value, VariableError)
    assert said in str(caught.value)
    assert caught.value.offset == offset


def test_names_of_variables_and_roles() -> None:
    text = "{b},22,{a}-{b + hosts(w) + hosts(v)},{hosts(w) + 1}"
    assert variables_of(text) == ("b", "a")
    assert roles_of(text) == ("w", "v")


@pytest.mark.parametrize(("text", "count"), [("4", 4), (" {n + 2} ", 5), ("{none}", 0), ("{hosts(worker) * 2}", 4)])
def test_a_count(values: Any, text: str, count: int) -> None:
    assert count_of(text, values(VALUES, hosts={"worker": 2}, **COUNTS)) == count


def test_a_count_below_nothing(values: Any) -> None:
    with pytest.raises(VariableError, match=r"\{none - n\} comes to -3, which is no count") as caught:
        count_of("{none - n}", values(VALUES, **COUNTS))
    assert caught.value.variable == "n"


@given(
    text=st.text(alphabet="0123456789-,{}ab+*() \u2013") | st.from_regex(r"\{[ab]( [-+*] ([ab]|[0-9]{1,5})){0,3}\}"),
    inventory=st.dictionaries(st.sampled_from(["a", "b"]), st.integers() | st.text()),
)
def test_any_text_and_values_work_out_or_raise_one_error(values: Any, text: str, inventory: dict[str, object]) -> None:
    try:
        # That a variable is there at all was found when the matrix was read.
        known = dict.fromkeys(variables_of(text), VariableType.PORTS)
        ports = expand(text, values(inventory, **known))
    except PortError:
        return
    assert isinstance(ports, PortSet)
    assert all(1 <= low <= high <= 65535 for low, high in ports.ranges)


@given(text=st.text(alphabet="0123456789-, \u2013"))
def test_without_variables_it_reads_as_a_port_set(values: Any, text: str) -> None:
    try:
        wanted = PortSet.parse(text)
    except PortError:
        with pytest.raises(PortError):
            expand(text, values())
    else:
        assert expand(text, values()) == wanted
