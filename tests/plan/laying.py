"""A matrix in the file's own words over hosts of one line each, and the plan's checks as short words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from probe.model.inventory import Host, Inventory
from probe.model.words import Expect, Zone
from probe.plan import Plan, Wishes
from probe.spec.matrix import load_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.model.check import Check
    from probe.model.matrix import Matrix

_HEAD = "portcheck: 1\nname: shop\n"


def host(line: str, number: int = 1) -> Host:
    """`w1 web db rack=r1 address=10.0.0.9,fd00::9 zone=outside`: a name, roles, variables. Of `hosts`, the third has
    the address 10.0.0.3 if it does not say another.
    """
    name, *words = shlex.split(line)
    said = dict(word.split("=", 1) for word in words if "=" in word)
    addresses = said.pop("address", f"10.0.0.{number}")
    zone = Zone(said.pop("zone", "inside"))
    return Host(
        name=name,
        addresses=tuple(addresses.split(",")),
        roles=tuple(word for word in words if "=" not in word),
        zone=zone,
        vars=dict(said),
        origins=dict.fromkeys(said, "host"),
    )


def matrix(text: str) -> Matrix:
    return load_text(_HEAD + text)


def lay(
    text: str | Matrix, *lines: str, everywhere: Mapping[str, Any] | None = None, values: dict[str, str] | None = None,
    **wishes: Any,
) -> Plan:  # fmt: skip
    """The plan of a matrix, given without its head, over these hosts. `everywhere` are variables of the group all."""
    hosts = [host(line, number) for number, line in enumerate(lines, 1)]
    shared = dict(everywhere or {})
    inventory = Inventory(source="hosts.txt", hosts={one.name: _with(one, shared) for one in hosts}, vars=shared)
    return Plan(matrix(text) if isinstance(text, str) else text, inventory, Wishes(values=values or {}, **wishes))


def _with(one: Host, shared: Mapping[str, Any]) -> Host:
    origins = {**dict.fromkeys(shared, "group all"), **one.origins}
    return Host(
        name=one.name,
        addresses=one.addresses,
        roles=one.roles,
        zone=one.zone,
        vars={**shared, **one.vars},
        origins=origins,
    )


def _checks(plan: Plan | Iterable[Check]) -> Iterable[Check]:
    return plan.all_checks() if isinstance(plan, Plan) else plan


def ways(plan: Plan | Iterable[Check], expect: Expect = Expect.REACH) -> set[str]:
    """`w1>d1:5432/tcp sql`, for each check of that expectation."""
    return {
        f"{check.source}>{check.target}:{check.ports}/{check.transport} {check.service}"
        for check in _checks(plan)
        if check.expect is expect
    }


def closed(plan: Plan | Iterable[Check]) -> set[str]:
    """The same for what is expected to be blocked."""
    return ways(plan, Expect.BLOCK)


def the(plan: Plan, **wanted: object) -> Check:
    """The only check with these values: `the(plan, source="w1", service="sql")`."""
    found = [check for check in plan.all_checks() if all(getattr(check, key) == value for key, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def reasons(plan: Plan) -> set[str]:
    """`rule service: reason`, for each row that is not checkable."""
    return {f"{row.rule} {row.service}: {row.reason}" for row in plan.unchecked}
