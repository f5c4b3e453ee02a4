"""`portcheck run`: the main job, from inventory to report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from probe.cli import outputs, settings, waivers
from probe.cli.exitcodes import exit_for
from probe.cli.planning import add_arguments, make_plan, seed_of
from probe.cli.running import add_identity, carry_out, identity_of

if TYPE_CHECKING:
    import argparse

    from probe.plan import Plan


def configure(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser)
    waivers.add_argument(parser)
    outputs.add_arguments(parser)
    add_identity(parser)
    settings.apply(parser)


def run(arguments: argparse.Namespace) -> int:
    from probe.coordinator.run import Terms
    from probe.model.words import Phase

    seed = seed_of(arguments)
    wanted = outputs.wanted(arguments)
    accepted = waivers.accepted(arguments)
    plan = make_plan(arguments, seed)
    tls = identity_of(arguments)
    if arguments.only and next(plan.all_checks(), None) is None and not _looks_beyond(plan):
        print(f"nothing to check: --only {arguments.only} leaves nothing of the plan", file=sys.stderr)
    terms = Terms(phase=Phase(arguments.phase), seed=seed, rate=arguments.max_rate, tls=tls)
    report, _ = carry_out(plan, terms)
    report = waivers.laid_over(report, accepted)
    outputs.write(report, wanted)
    return exit_for(report)


def _looks_beyond(plan: Plan) -> bool:
    """Whether there is something to look for that is no check of the plan."""
    from probe.model.words import Exposure
    from probe.plan.beyond import Beyond

    return plan.wishes.exposure is not Exposure.KNOWN and bool(Beyond(plan).targets)
