"""`--only`: which checks an expression keeps, and what is said of one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from probe.errors import UserError
from probe.plan.only import parse


@pytest.mark.parametrize(
    ("expression", "services"),
    [
        ("", {"sql", "ssh", "site", "clock"}),
        ("service=sql", {"sql"}),
        ("service=s*", {"sql", "ssh", "site"}),
        ("service=s* service!=ssh", {"sql", "site"}),
        ("service!=s*,clock", set()),
        ("port=5432", {"sql"}),
        ("port=100-500", {"site", "clock"}),
        ("port!=1-1000", {"sql"}),
        ("transport=udp", {"clock"}),
        ("protocol=http", {"site"}),
        ("expect=block", {"clock"}),
        ("target=d1", {"sql", "ssh", "clock"}),
        ("target=db", {"sql", "clock"}),  # a role as well as a name
        ("source=d*", set()),
        ("rule=flows*0*", {"sql"}),
        ("matrix=shop", {"sql", "ssh", "site", "clock"}),
        ("SERVICE=sql", None),
        ("id=nothing", set()),
    ],
)
def test_what_an_expression_keeps(make: Any, expression: str, services: set[str] | None) -> None:
    if services is None:
        with pytest.raises(UserError, match="'SERVICE' is no key"):
            parse(expression)
        return
    kept = filter(parse(expression), make.plan().checks("w1"))
    assert {check.service for check in kept} == services


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sql", r"--only: 'sql' is not of the form KEY=VALUE \(keys: source, target, .*port\)"),
        ("service=", "'service=' is not of the form KEY=VALUE"),
        ("port=http", "--only: 'port=http': 'http' is neither a port nor a range"),
        ("port=9-1", "runs backwards"),
        ("colour=red", "'colour' is no key"),
    ],
)
def test_an_expression_that_is_wrong(expression: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse(expression)
