"""`when:`, asked of hosts."""

from __future__ import annotations

import pytest

from probe.model.conditions import Circumstances, Condition, asks_family, asks_pair, holds
from probe.model.words import Family


class Host:
    def __init__(self, *roles: str, **values: object) -> None:
        self.roles = frozenset(roles)
        self._values = values

    def value(self, name: str) -> object:
        return self._values[name]


NOW = Circumstances(
    present={"lb", "web", "db"},
    source=Host("web", os="windows", tls=False, n=8),
    target=Host("db", os="linux", tls=True, n=3),
    family=Family.IPV6,
)
YES, NO = Condition(role="lb"), Condition(role="cache")


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (YES, True),
        (NO, False),
        (Condition(variable="tls"), True),
        (Condition(variable="tls", values=("false",)), False),
        (Condition(variable="tls", values=("true",)), True),
        (Condition(variable="os", values=("linux", "bsd")), True),
        (Condition(variable="os", values=("windows",)), False),
        (Condition(variable="os"), False),  # a text is not true
        (Condition(variable="n", values=("3",)), True),
        (Condition(family=Family.IPV6), True),
        (Condition(family=Family.IPV4), False),
        (Condition(source=Condition(role="web")), True),
        (Condition(source=Condition(role="db")), False),  # there is one, but the source is none
        (Condition(source=Condition(variable="os", values=("windows",))), True),
        (Condition(source=Condition(variable="tls")), False),
        (Condition(target=Condition(role="db")), True),
        (Condition(target=Condition(role="lb")), False),
        (Condition(source=Condition(negated=Condition(role="db"))), True),
        (Condition(source=Condition(all_of=(Condition(role="web"), Condition(variable="tls")))), False),
        (Condition(negated=NO), True),
        (Condition(negated=YES), False),
        (Condition(all_of=(YES, YES)), True),
        (Condition(all_of=(YES, NO)), False),
        (Condition(any_of=(NO, YES)), True),
        (Condition(any_of=(NO, NO)), False),
    ],
    ids=str,
)
def test_what_holds(condition: Condition, answer: bool) -> None:
    assert holds(condition, NOW) is answer


def test_nobody_has_no_role_and_no_value() -> None:
    nowhere = Circumstances(present={"lb"})
    for asked in (
        Condition(source=YES),
        Condition(target=YES),
        Condition(variable="tls"),
        Condition(family=Family.IPV4),
    ):
        assert not holds(asked, nowhere)


@pytest.mark.parametrize(
    ("part", "family", "pair"),
    [
        (YES, False, False),
        (Condition(variable="tls"), False, True),
        (Condition(family=Family.IPV4), True, True),
        (Condition(source=YES), False, True),
        (Condition(target=YES), False, True),
    ],
    ids=["role", "variable", "family", "source", "target"],
)
def test_what_must_be_asked_of_each_pair(part: Condition, family: bool, pair: bool) -> None:
    for condition in (part, Condition(negated=part), Condition(all_of=(YES, part)), Condition(any_of=(YES, part))):
        assert (asks_family(condition), asks_pair(condition)) == (family, pair)
