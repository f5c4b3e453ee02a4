from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.ports import PortSet
from probe.report.ways import joined, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.model.result import CheckResult, Report
    from probe.report.ways import Ways


def pairs(told: Iterable[Ways]) -> Iterator[tuple[str, str, str, str, int]]:
    """Each source, target, address and port that these speak of."""
    for way in told:
        for target, address in way.targets:
            for source in way.sources or (target,):
                if source != target or not way.mutual:
                    yield from ((source, target, address, way.transport, port) for port in PortSet.parse(way.ports))


def made(example: Any, *ways_: tuple[str, str, str]) -> list[CheckResult]:
    row = example.check("svc-1", "db-1", "postgresql", "flows[5]")
    return [
        msgspec.structs.replace(row, source=source, target=target, address=f"10.0.0.{target[-1]}", ports=ports)
        for source, target, ports in ways_
    ]


def test_a_party_without_a_name_of_its_own_is_named_once(rich: Report) -> None:
    rows = [check for check in rich.checks if check.target == "mirror.example.com"]
    assert [way.text() for way in ways(rows)] == ["ctrl-1 → mirror.example.com  tcp 443"]


def test_a_host_that_is_asked_by_itself_is_told_as_such(rich: Report) -> None:
    (check,) = [check for check in rich.checks if check.source == check.target]
    assert [way.text() for way in ways([check])] == ["db-1 (10.20.0.30) to itself  tcp 5432"]


def test_every_pair_is_kept_and_none_is_made_up(rich: Report) -> None:
    assert set(pairs(ways(rich.checks))) == {
        (row.source, row.target, row.address, row.transport, port)
        for row in rich.checks
        for port in PortSet.parse(row.ports)
    }


def test_ports_that_the_same_cannot_reach_are_one_line(example: Any) -> None:
    rows = made(example, ("a", "db-1", "22"), ("a", "db-1", "80-90"), ("b", "db-1", "22"), ("b", "db-1", "80-90"))
    assert [way.text() for way in ways(rows)] == ["a, b → db-1 (10.0.0.1)  tcp 22, 80-90"]
    assert len(ways(rows[:3])) == 2


def test_each_other(example: Any) -> None:
    names = [f"engine-{number}" for number in range(1, 6)]
    rows = made(example, *((one, two, "8000") for one in names for two in names if one != two))
    assert [way.text() for way in ways(rows)] == ["engine-[1:5] to each other  tcp 8000"]
    outside = made(example, ("laptop", "engine-1", "8000"))
    told = {way.text() for way in ways(rows + outside)}
    assert "engine-[2:5], laptop → engine-1 (10.0.0.1)  tcp 8000" in told
    for some in (rows, rows + outside, rows[1:]):
        assert set(pairs(ways(some))) == {(row.source, row.target, row.address, row.transport, 8000) for row in some}


def test_lines_name_everybody(example: Any) -> None:
    sources = [f"{letter}-host" for letter in "abcdefghijklmnopqrstuvwxyz"]
    (way,) = ways(made(example, *((source, f"{letter}-db-1", "22") for source in sources for letter in "uvwxyz")))
    assert "(18 more)" in way.text()
    lines = list(way.lines())
    assert len(lines) == 3
    assert all("u-db-1, v-db-1, w-db-1, x-db-1, y-db-1, z-db-1" in line for line in lines)
    assert [source for line in lines for source in line.partition(" → ")[0].split(", ")] == sources


def test_what_is_no_port_is_kept_as_it_is() -> None:
    assert joined(["5500-5510", "80", "5511"]) == "80,5500-5511"
    assert joined(["80", "(none)"]) == "80,(none)"
