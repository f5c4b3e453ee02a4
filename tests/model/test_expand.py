from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.expand import VariableError, expand, port_parts, ports_of, variables_of
from probe.model.matrix import Service
from probe.model.ports import PortError, PortSet

VALUES: dict[str, object] = {
    "port": 9000,
    "text": " 9001 ",
    "range": "5000-5002",
    "many": [4150, "4151", "4160-4161"],
    "low": "100",
    "high": 102,
}


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
    ],
)
def test_works_out(text: str, ports: str) -> None:
    assert str(ports_of(Service(name="s", role="r", port=text), VALUES)) == ports


@pytest.mark.parametrize(
    ("text", "values", "variable", "message"),
    [
        ("{x}", {}, "x", "variable 'x' has no value"),
        ("{x}", {"x": None}, "x", "variable 'x' has no value"),
        ("{x}", {"x": "http"}, "x", "variable 'x': 'http' is neither a port nor a range of ports"),
        ("{x}", {"x": 70000}, "x", "variable 'x': port 70000 does not exist: ports go from 1 to 65535"),
        ("{x}", {"x": ""}, "x", "variable 'x': '' is neither a port nor a range of ports"),
        ("{x}", {"x": True}, "x", "variable 'x' must be a port, a range or a list of them, not True"),
        ("{x}", {"x": 80.0}, "x", "variable 'x' must be a port, a range or a list of them, not 80.0"),
        ("{x}", {"x": []}, "x", "variable 'x' must be a port, a range or a list of them, not []"),
        ("{x}", {"x": [80, None]}, "x", "variable 'x' must be a port, a range or a list of them, not [80, None]"),
        ("{x}", {"x": {"a": 1}}, "x", "variable 'x' must be a port, a range or a list of them, not {'a': 1}"),
        ("{x}-90", {"x": "80,81"}, "x", "variable 'x' must be one port here, not 80-81"),
        ("{x}-90", {"x": 91}, "x", "the range {x}-90 runs backwards: it comes to 91-90"),
        ("80-{x}", {"x": 79}, "x", "the range 80-{x} runs backwards: it comes to 80-79"),
    ],
)
def test_names_the_variable(text: str, values: dict[str, object], variable: str, message: str) -> None:
    with pytest.raises(VariableError) as caught:
        expand(text, values)
    assert (str(caught.value), caught.value.variable) == (message, variable)
    assert caught.value.value == values.get(variable)


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "{a b}", "{1}", "5{port}", "{a}{b}", "{a}-{b}-{c}", "0-{a}", "{a}-70000"]
)
def test_refuses_what_no_value_can_mend(text: str) -> None:
    with pytest.raises(PortError) as caught:
        port_parts(text)
    assert not isinstance(caught.value, VariableError)


def test_names_of_variables() -> None:
    assert variables_of("{b},22,{a}-{b}") == ("b", "a")


@given(
    st.text(alphabet="0123456789-,{}ab \u2013"), st.dictionaries(st.sampled_from(["a", "b"]), st.integers() | st.text())
)
def test_any_text_and_values_work_out_or_raise_one_error(text: str, values: dict[str, object]) -> None:
    try:
        ports = expand(text, values)
    except PortError:
        return
    assert isinstance(ports, PortSet)
    assert len(ports) > 0


@given(st.text(alphabet="0123456789-, \u2013"))
def test_without_variables_it_reads_as_a_port_set(text: str) -> None:
    try:
        wanted = PortSet.parse(text)
    except PortError:
        with pytest.raises(PortError):
            expand(text, {})
    else:
        assert expand(text, {}) == wanted
