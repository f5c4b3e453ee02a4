"""The tables of `portcheck plan`: what must be reachable, what must not, what cannot be checked, and the variables."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from tabulate import tabulate

from probe.model.words import Expect, Exposure, Transport
from probe.plan.beyond import EVERY_PORT, Beyond
from probe.report import unchecked
from probe.report.text import folded, listed, name, sentence
from probe.sweep.pace import GENTLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.model.check import Unchecked
    from probe.plan import Plan
    from probe.plan.settings import Setting

# More lines than this nobody reads; --json has all.
_MOST_LINES = 400
_Row = tuple[str, ...]


def print_tables(plan: Plan, phase: str) -> int:
    """Returns how many checks there are. Prints nothing where the plan has nothing to say."""
    rows: dict[Expect, dict[_Row, list[int]]] = {Expect.REACH: {}, Expect.BLOCK: {}}
    ports = found = 0
    for check in plan.all_checks():
        found += 1
        ports += len(check.ports)
        worth = check.policy.value if check.expect is Expect.BLOCK else check.need.value
        key = (check.source_role, check.target_role, check.service, f"{check.transport} {check.ports}", worth)
        pairs = rows[check.expect].setdefault(key, [0, 0])
        pairs[check.same_host] += 1
    beyond = Beyond(plan) if plan.wishes.exposure is not Exposure.KNOWN else None
    if not found and not plan.unchecked and (beyond is None or not beyond.targets):
        return 0
    width = shutil.get_terminal_size().columns
    for expect, title in ((Expect.REACH, "Must be reachable"), (Expect.BLOCK, "Must not be reachable")):
        if rows[expect]:
            print(f"{title}\n{_checks(rows[expect], width)}\n")
    for block in (_not_checkable(plan.unchecked, width), _beyond(beyond, width), _variables(plan, width)):
        if lines := list(block):
            print("\n".join(lines) + "\n")
    print(
        f"{found:,} checks over {ports:,} ports between {len(plan.inventory.hosts)} hosts; no packet was sent.\n"
        f"Phase {phase}, matrix {' + '.join(plan.matrix.names)}."
    )
    return found or len(beyond.targets if beyond is not None else ())


def _checks(rows: dict[_Row, list[int]], width: int) -> str:
    """Role by service, because host by host is for machines; the number of pairs of hosts stands beside."""
    lines = [
        (*key, ", ".join(part for part in (str(pairs[0] or ""), "itself" if pairs[1] else "") if part))
        for key, pairs in sorted(rows.items())
    ]
    limits = None if width >= 100 else [10, 10, 17, 12, 11, 10]
    return _table(("FROM", "TO", "SERVICE", "PORTS", "WORTH", "PAIRS"), lines, limits)


def _not_checkable(rows: Sequence[Unchecked], width: int) -> Iterator[str]:
    """A reason is long and many rows share it: the last column has its number, and the reasons follow."""
    if not rows:
        return
    yield unchecked.heading(rows)
    reasons = unchecked.by_reason(rows)
    lines = [
        (
            unchecked.parties(row.sources),
            unchecked.parties(row.targets),
            name(row.service),
            unchecked.asked(row),
            row.need.value,
            f"({number})",
        )
        for number, group in enumerate(reasons.values(), 1)
        for row in group
    ]
    fixed = [10, 10, 17] if width < 100 else [16, 16, 20]
    # Ten columns between the cells; the longest worth and a number of three digits need sixteen.
    rest = max(width - sum(fixed) - 26, 10)
    yield _table(("FROM", "TO", "SERVICE", "WHAT", "WORTH", "WHY"), lines, [*fixed, rest, 11, 5])
    for number, reason in enumerate(list(reasons)[:_MOST_LINES], 1):
        yield from _wrapped(f"({number}) {sentence(reason)}", width)


def _beyond(beyond: Beyond | None, width: int) -> Iterator[str]:
    """What is looked for that no service names: nobody knows before the run what that is."""
    if beyond is None or not beyond.targets:
        return
    yield f"Beyond the matrix (--exposure {beyond.scope})"
    pairs, ports = set(), dict.fromkeys(Transport, 0)
    for target in beyond.targets:
        for place in beyond.places(target):
            for _, task in beyond.samples(target, place, EVERY_PORT, alive=lambda _: True):
                pairs.add((task.source, target))
                ports[task.place[1]] += len(task.ports)
    hosts = listed(folded(beyond.targets), 6)
    if beyond.scope is Exposure.ALL:
        seconds = sum(number / GENTLE[transport] for transport, number in ports.items())
        many = f"{sum(ports.values()):,} ports over {len(pairs):,} ways"
        text = f"every TCP and UDP port of {hosts} is swept: {many}, without --max-rate at least {_duration(seconds)}"
    else:
        text = f"what listens on {hosts}, and no service names, is tried"
    yield from _wrapped(text, width)
    kinds = [f"{kind} ({listed(folded(sources), 3)})" for kind, sources in beyond.kinds.items()]
    yield from _wrapped(
        f"from one host of each kind, and from the others where it gets through: {'; '.join(kinds)}", width
    )
    standing = dict.fromkeys(one.words for found in beyond.standing.values() for one in found)
    yield from _wrapped(f"always allowed (portcheck_allow): {', '.join(map(name, standing)) or 'nothing'}", width)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes:,} min" if minutes < 120 else f"{minutes / 60:,.0f} h"


def _variables(plan: Plan, width: int) -> Iterator[str]:
    """A line for each value that somebody gave; what is as the matrix has it is told together."""
    settings = plan.settings()
    origins: dict[str, set[str]] = {}
    for setting in settings:
        origins.setdefault(setting.name, set()).add(setting.origin)
    everywhere = len(plan.inventory.hosts)
    lines = [
        (
            name(setting.name),
            _value(setting),
            name(setting.origin or "not set"),
            "all" if len(setting.hosts) == everywhere else listed(folded(setting.hosts), 6),
        )
        for setting in settings
        if origins[setting.name] - {"default", ""}
    ]
    if settings:
        yield "Variables"
    if lines:
        first, second = (30, 20) if width >= 100 else (20, 14)
        rest = max((width - first - second - 6) // 2, 10)
        yield _table(("NAME", "VALUE", "ORIGIN", "HOSTS"), lines, [first, rest, second, rest])
    for origin, title in (("default", "default everywhere"), ("", "not set anywhere")):
        same = [setting for setting in settings if origins[setting.name] == {origin}]
        if same:
            told = [f"{name(setting.name)} {_value(setting)}".removesuffix(" -") for setting in same]
            yield from _wrapped(f"{title}: {'; '.join(told)}", width)


def _value(setting: Setting) -> str:
    return name(setting.value, 200) if setting.value or not setting.origin else "empty"


def _table(headings: _Row, lines: Sequence[_Row], limits: list[int] | None) -> str:
    # The heading is a row as any other: tabulate makes columns wider than their headings.
    shown = tabulate([headings, *lines[:_MOST_LINES]], maxcolwidths=limits, tablefmt="plain", disable_numparse=True)
    more = f"\n… {len(lines) - _MOST_LINES} more lines; --json has all" if len(lines) > _MOST_LINES else ""
    return shown + more


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), subsequent_indent="  ", break_on_hyphens=False)
