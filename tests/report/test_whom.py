from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Cause, State
from probe.report import titles
from probe.report.findings import findings
from probe.report.whom import _WHOM, whom

if TYPE_CHECKING:
    from probe.model.result import Report


def test_each_cause_is_somebodys() -> None:
    assert set(_WHOM) == set(Cause)


def test_the_owner_of_what_is_to_blame_is_named(rich: Report) -> None:
    told = {finding.example.cause: whom(finding) for finding in findings(rich)}
    assert told[Cause.TARGET_FIREWALL] == "whoever runs db-1"
    assert told[Cause.PORT_TAKEN] == "whoever runs engine-2"
    assert told[None] == "those who run the firewalls between the two"
    blamed = [whom(finding) for finding in findings(rich) if finding.example.cause is Cause.NETWORK]
    assert blamed[0] == "the owner of 10.20.0.254, or of what is behind it"


def test_a_router_that_finds_nobody_is_not_the_first_to_ask(rich: Report) -> None:
    row = next(check for check in rich.checks if check.cause is Cause.NETWORK and check.where)
    row = msgspec.structs.replace(
        row, state=State.UNREACHABLE, where=msgspec.structs.replace(row.where, address="10.20.0.254", side="at")
    )
    (finding,) = findings(msgspec.structs.replace(rich, checks=(row,)))
    assert whom(finding) == f"whoever runs {row.target}, and the owner of 10.20.0.254"
    assert titles.title(finding).startswith("10.20.0.254 cannot deliver tcp ")


def test_hostile_names_are_shown(rich: Report) -> None:
    row = next(check for check in rich.checks if check.cause is Cause.TARGET_FIREWALL)
    report = msgspec.structs.replace(rich, checks=(msgspec.structs.replace(row, target="db\x1b[31m" * 50),))
    (finding,) = findings(report)
    assert "\x1b" not in whom(finding)
    assert len(whom(finding)) < 100
