"""What `run` and `explain` share: a run under way, and how it is ended."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    import ssl

    from probe.coordinator.run import Run, Terms
    from probe.model.result import Report
    from probe.plan import Plan


def add_identity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="DIR/coordinator.pem, to reach agents that run as daemons (portcheck pki init)",
    )


def identity_of(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    """None where no identity is given; raises UserError for one that is none."""
    if not arguments.identity:
        return None
    from probe.wire import identity

    return identity.client_context(identity.load(arguments.identity))


def carry_out(plan: Plan, terms: Terms) -> tuple[Report, Run]:
    """The run, ended, and what it found."""
    return asyncio.run(_execute(plan, terms))


async def _execute(plan: Plan, terms: Terms) -> tuple[Report, Run]:
    """One Ctrl-C ends the run in order, with a partial report; a second one ends the process."""
    from probe.coordinator.run import Run
    from probe.report.progress import Progress

    progress = Progress()
    run = Run(plan, terms, progress.update)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        progress.close()
        print("interrupted: ending in order, with what is known so far (again to end at once)", file=sys.stderr)
        run.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await run.execute(), run
    finally:
        progress.close()
