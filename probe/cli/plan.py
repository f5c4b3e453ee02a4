"""`portcheck plan`: what `run` would check; no packet is sent."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from probe.cli import settings
from probe.cli.exitcodes import Exit
from probe.cli.planning import add_arguments, make_plan, seed_of

if TYPE_CHECKING:
    import argparse

    from probe.model.check import Check
    from probe.plan import Plan

# More lines than this nobody reads; --json has all.
_MOST_LINES = 400


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
        print("nothing to check: no flow and no forbidden way between these hosts", file=sys.stderr)
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
    """Role × service, because host × host is for machines; the number of pairs stands beside."""
    from tabulate import tabulate

    pairs: Counter[tuple[str, ...]] = Counter()
    ports = found = 0
    for check in plan.all_checks():
        found += 1
        ports += len(check.ports)
        worth = check.policy.value if check.expect == "block" else check.need.value
        same = "itself" if check.same_host else ""
        pairs[
            check.expect.value,
            check.source_role,
            check.target_role,
            check.service,
            f"{check.transport} {check.ports}",
            worth,
            same,
        ] += 1
    if not found:
        return 0
    rows = [
        (expect, source, target, service, where, worth + (" (itself)" if same else ""), count)
        for (expect, source, target, service, where, worth, same), count in sorted(
            pairs.items(), key=lambda item: (item[0][0] != "reach", item[0])
        )
    ]
    headers = ("expect", "from role", "to role", "service", "ports", "worth", "pairs")
    wide = shutil.get_terminal_size().columns >= 100
    limits = None if wide else [6, 12, 12, 18, 14, 10, 5]
    print(tabulate(rows[:_MOST_LINES], headers=headers, maxcolwidths=limits, tablefmt="simple"))
    if len(rows) > _MOST_LINES:
        print(f"… {len(rows) - _MOST_LINES} more lines; --json has all")
    hosts = len(plan.inventory.hosts)
    print(
        f"\n{found:,} checks over {ports:,} ports between {hosts} hosts, phase {phase}, "
        f"matrix {' + '.join(plan.matrix.names)}. No packet was sent."
    )
    return found
