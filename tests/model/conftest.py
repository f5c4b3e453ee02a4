"""A check to judge, and situations around it; variables with values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from probe.model.check import Check
from probe.model.judge import Situation
from probe.model.matrix import Variable
from probe.model.ports import PortSet
from probe.model.variables import Values
from probe.model.words import Expect, Phase, Policy, Protocol, Transport, VariableType

SOURCE, TARGET = "10.0.0.1", "10.0.0.2"
_CHECK = Check(
    id="c1",
    source="a",
    source_role="web",
    target="b",
    target_role="db",
    address=TARGET,
    transport=Transport.TCP,
    ports=PortSet.parse("5432"),
    protocol=Protocol.TCP,
    service="db",
    matrix="shop",
    rule="flows[0]",
    expect=Expect.REACH,
    policy=Policy.ENFORCE,
)
_OF_CHECK = frozenset(field.name for field in msgspec.structs.fields(Check))


def _situation(**given: Any) -> Situation:
    """A host a asks b for its database; whatever is given differs. Words of a check and of a situation may be mixed."""
    check = msgspec.structs.replace(_CHECK, **{name: given.pop(name) for name in list(given) if name in _OF_CHECK})
    if check.protocol is Protocol.UDP:
        check = msgspec.structs.replace(check, transport=Transport.UDP)
    given.setdefault("phase", Phase.PRE_INSTALL)
    given.setdefault("source_addresses", frozenset({SOURCE}))
    given.setdefault("target_addresses", frozenset({check.address}))
    return Situation(check=check, **given)


@pytest.fixture(scope="session")
def situation() -> Any:
    return _situation


def _values(
    inventory: dict[str, Any] | None = None, *, hosts: dict[str, int] | None = None, **types: VariableType
) -> Values:
    """What a host's inventory says. Variables are ports, but for those whose `types` are given."""
    inventory = inventory or {}
    names = dict.fromkeys((*inventory, *types, "x", "a", "b"))
    variables = {name: Variable(name=name, type=types.get(name, VariableType.PORTS)) for name in names}
    return Values(variables, given={}, inventory=inventory, origins=dict.fromkeys(names, "host"), hosts=hosts or {})


@pytest.fixture(scope="session")
def values() -> Any:
    return _values
