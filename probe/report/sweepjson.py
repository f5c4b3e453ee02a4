"""A sweep as JSON, `portcheck.sweep/1`. The schema is reports/sweep.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.words import State
from probe.report.sweep import ports_in, service
from probe.text import printable

if TYPE_CHECKING:
    from datetime import datetime

    from probe.model.swept import Swept
    from probe.report.sweep import SweepReport

SCHEMA = "portcheck.sweep/1"


def render(report: SweepReport) -> bytes:
    """UTF-8, laid out for people too. A name with several addresses: the first one's fields, the others in `more`."""
    first, *others = [_sweep(sweep) for sweep in report.sweeps]
    head = {"schema": SCHEMA, "name": printable(report.name)}
    run = {
        "started": _time(report.started),
        "finished": _time(report.finished),
        "seed": report.seed,
        "version": report.version,
        "interrupted": report.interrupted,
    }
    document = head | first | {"asked": str(report.ports)} | run | {"more": others}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _sweep(sweep: Swept) -> dict[str, Any]:
    opened = ports_in(sweep, State.OPEN)
    return {
        "address": sweep.address,
        "transport": sweep.transport,
        "summary": {state: len(ports_in(sweep, state)) for state in State},
        "ports": {
            state: sweep.states.get(state, "") for state in State if state in sweep.states or state is State.OPEN
        },
        # Where everything answers there are no services to name.
        "services": {str(port): known for port in opened if (known := service(port, sweep.transport))}
        if not sweep.everything
        else {},
        "rejections": [
            {"sender": told.sender, "type": told.type, "code": told.code, "ports": told.ports}
            for told in sweep.rejections
        ],
        "sometimes": sweep.sometimes,
        "limited": sweep.limited,
        "everything": sweep.everything,
        "sent": sweep.sent,
        "answers": sweep.answers,
        "rounds": sweep.rounds,
        "loss": sweep.loss,
        "residual": sweep.residual,
        "pace": round(sweep.pace, 1),
        "seconds": round(sweep.seconds, 3),
        "engine": sweep.engine,
        "problem": printable(sweep.problem),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
