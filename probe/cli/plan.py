"""`portcheck plan`: what `run` would check; no packet is sent."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from probe.cli import settings
from probe.cli.exitcodes import Exit
from probe.cli.planning import add_arguments, make_plan, seed_of

if TYPE_CHECKING:
    import argparse

    from probe.model.check import Check
    from probe.plan import Plan


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
    from probe.cli.plantables import print_tables

    seed = seed_of(arguments)
    plan = make_plan(arguments, seed)
    found = _write_json(plan, arguments, seed) if arguments.json else print_tables(plan, arguments.phase)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    if not found:
        print(f"nothing to check: {_why_nothing(plan, arguments)}", file=sys.stderr)
        return Exit.NOTHING_TO_CHECK
    return Exit.CONFORMS


def _why_nothing(plan: Plan, arguments: argparse.Namespace) -> str:
    from probe.report import unchecked

    if arguments.only:
        return "--only leaves nothing"
    if plan.unchecked:
        return unchecked.because(plan.unchecked)
    return "no flow and no forbidden way between these hosts"


def _write_json(plan: Plan, arguments: argparse.Namespace, seed: int) -> int:
    from probe.report.files import write

    checks, beyond = [as_json(check) for check in plan.all_checks()], _beyond(plan)
    document = {
        "schema": "portcheck.plan/1",
        "plan": {
            "phase": arguments.phase,
            "matrix": list(plan.matrix.names),
            "inventory": plan.inventory.source,
            "seed": seed,
        },
        "checks": checks,
        "not_checkable": msgspec.to_builtins(plan.unchecked),
        "variables": msgspec.to_builtins(plan.settings()),
        "exposure": beyond,
    }
    write(arguments.json, json.dumps(document, indent=1) + "\n")
    return len(checks) + len(beyond["targets"] if beyond else ())


def _beyond(plan: Plan) -> dict[str, Any] | None:
    """What is looked for beyond the checks; None where nothing is."""
    from probe.model.words import Exposure
    from probe.plan.beyond import Beyond

    if plan.wishes.exposure is Exposure.KNOWN:
        return None
    beyond = Beyond(plan)
    return {
        "scope": beyond.scope.value,
        "targets": list(beyond.targets),
        "kinds": [
            {"zone": kind.zone.value, "role": kind.role, "roles": list(kind.roles), "sources": list(sources)}
            for kind, sources in beyond.kinds.items()
        ],
        "standing": {target: [one.words for one in beyond.standing[target]] for target in beyond.targets},
    }


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
        "application": check.application,
        "severity": check.severity.value if check.severity else None,
    }
