"""`portcheck plan`: what `run` would check; no packet is sent."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

from probe.cli import settings
from probe.cli.exitcodes import Exit
from probe.cli.planning import add_arguments, make_plan, seed_of
from probe.model.words import Expect

if TYPE_CHECKING:
    import argparse

    from probe.model.check import Check
    from probe.plan import Plan

# More lines than this nobody reads; --json has all.
_MOST_LINES = 400
_HEADINGS = ("FROM", "TO", "SERVICE", "PORTS", "WORTH", "PAIRS")


def configure(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser)
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="all checks as JSON, in the order in which each source would try them (default: to stdout)",
    )
    settings.apply(parser)


def run(arguments: argparse.Namespace) -> int:
    seed = seed_of(arguments)
    plan = make_plan(arguments, seed)
    found = _write_json(plan, arguments, seed) if arguments.json else _print_table(plan, arguments.phase)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    if not found:
        why = "--only leaves nothing" if arguments.only else "no flow and no forbidden way between these hosts"
        print(f"nothing to check: {why}", file=sys.stderr)
        return Exit.NOTHING_TO_CHECK
    return Exit.CONFORMS


def _write_json(plan: Plan, arguments: argparse.Namespace, seed: int) -> int:
    from probe.report.files import write

    checks = [as_json(check) for check in plan.all_checks()]
    document = {
        "schema": "portcheck.plan/1",
        "plan": {
            "phase": arguments.phase,
            "matrix": list(plan.matrix.names),
            "inventory": plan.inventory.source,
            "seed": seed,
        },
        "checks": checks,
    }
    write(arguments.json, json.dumps(document, indent=1) + "\n")
    return len(checks)


def as_json(check: Check) -> dict[str, Any]:
    """The fields that a report has too, without outcome."""
    return {
        "id": check.id,
        "source": check.source,
        "target": check.target,
        "source_role": check.source_role,
        "target_role": check.target_role,
        "address": check.address,
        "transport": check.transport.value,
        "ports": str(check.ports),
        "protocol": check.protocol.value,
        "service": check.service,
        "matrix": check.matrix,
        "rule": check.rule,
        "also": list(check.also),
        "cite": check.cite,
        "expect": check.expect.value,
        "policy": check.policy.value,
        "need": check.need.value,
    }


def _print_table(plan: Plan, phase: str) -> int:
    """Role by service, because host by host is for machines; the number of pairs of hosts stands beside."""
    rows: dict[Expect, dict[tuple[str, ...], list[int]]] = {Expect.REACH: {}, Expect.BLOCK: {}}
    ports = found = 0
    for check in plan.all_checks():
        found += 1
        ports += len(check.ports)
        worth = check.policy.value if check.expect is Expect.BLOCK else check.need.value
        key = (check.source_role, check.target_role, check.service, f"{check.transport} {check.ports}", worth)
        pairs = rows[check.expect].setdefault(key, [0, 0])
        pairs[check.same_host] += 1
    if not found:
        return 0
    for expect, title in ((Expect.REACH, "Must be reachable"), (Expect.BLOCK, "Must not be reachable")):
        if rows[expect]:
            print(f"{title}\n{_table(rows[expect])}\n")
    hosts = len(plan.inventory.hosts)
    print(
        f"{found:,} checks over {ports:,} ports between {hosts} hosts; no packet was sent.\n"
        f"Phase {phase}, matrix {' + '.join(plan.matrix.names)}."
    )
    return found


def _table(rows: dict[tuple[str, ...], list[int]]) -> str:
    from tabulate import tabulate

    lines = [
        (*key, ", ".join(part for part in (str(pairs[0] or ""), "itself" if pairs[1] else "") if part))
        for key, pairs in sorted(rows.items())
    ]
    limits = None if shutil.get_terminal_size().columns >= 100 else [10, 10, 17, 12, 11, 10]
    # The heading is a row as any other: tabulate makes columns wider than their headings.
    shown = tabulate([_HEADINGS, *lines[:_MOST_LINES]], maxcolwidths=limits, tablefmt="plain", disable_numparse=True)
    more = f"\n… {len(lines) - _MOST_LINES} more lines; --json has all" if len(lines) > _MOST_LINES else ""
    return shown + more
