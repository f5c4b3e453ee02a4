"""One run in a process of its own: `python -m probe.audit.worker`, an order on stdin, words and the report on stdout.

So a run that crashes takes no service along, and what a run needs of memory is gone when it ends. It ends in order, its
agents with it, on SIGTERM, at the end of stdin, and when the service that started it is no more.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from probe.audit.order import (
    LARGEST,
    LONGEST_LINE,
    LONGEST_WORDS,
    Began,
    Broken,
    Failed,
    Going,
    Made,
    Order,
    Warned,
    Word,
    encoder,
)
from probe.errors import UserError
from probe.report.answer import answer
from probe.report.json import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.coordinator.run import Run
    from probe.model.result import Report

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PERIOD = 0.5  # seconds between two words of how far it is
_LAST = 30  # seconds in which an end in order must be done


class _Mouth:
    """Words to the service. Nobody who listens is no trouble: stdin then ends too."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._next = 0.0

    def say(self, word: Word, behind: bytes = b"") -> None:
        try:
            self._output.write(encoder.encode(word) + b"\n" + behind)
            self._output.flush()
        except (BrokenPipeError, ConnectionError):
            pass

    def going(self, done: int, total: int, failing: int, words: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PERIOD
            self.say(Going(done, total, failing, words[:LONGEST_WORDS]))


def main() -> int:
    """Returns 0 after a report, 1 where none could be made: the words have told why."""
    _end_with_parent()
    # Whatever else is printed in this process must not end up between the words.
    mouth = _Mouth(os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        # A byte too many must not be taken here that belongs to the watch over the end of stdin: none ever comes.
        order = msgspec.json.decode(sys.stdin.buffer.readline(LONGEST_LINE), type=Order)
        report = _make(order, mouth)
        data = _packed(report)
        _write(report, order.outputs, mouth)
    except Exception as error:  # noqa: BLE001  (the last place to tell of a defect; the service goes on)
        mouth.say(_failure(error))
        return 1
    mouth.say(Made(len(data), answer(report).value), data)
    return 0


def _make(order: Order, mouth: _Mouth) -> Report:
    from probe.audit.inputs import plan  # noqa: PLC0415  (after the order: what is wrong can be told only then)
    from probe.coordinator.run import Run, Terms  # noqa: PLC0415
    from probe.model.words import Phase  # noqa: PLC0415

    made, waivers = plan(
        order,
        lambda words: mouth.say(Warned(words[:LONGEST_WORDS])),
        lambda words: mouth.say(Broken(words[:LONGEST_WORDS])),
    )
    tls = None
    if order.identity:
        from probe.wire import identity  # noqa: PLC0415

        tls = identity.client_context(identity.load(order.identity))

    async def execute() -> Report:
        terms = Terms(phase=Phase(order.phase), seed=order.seed, rate=order.rate, tls=tls)
        run = Run(made, terms, mouth.going)
        await _until_told(run)
        mouth.say(Began(run.id, run.started))
        return await run.execute()

    report = asyncio.run(execute())
    if waivers is not None:
        from probe.model.waiving import apply  # noqa: PLC0415

        report = apply(report, waivers, datetime.now().astimezone().date())
    return report


def _write(report: Report, outputs: Iterable[tuple[str, str]], mouth: _Mouth) -> None:
    """A file that cannot be written costs neither the others nor the run."""
    from probe.report import files, formats  # noqa: PLC0415

    for path, form in outputs:
        try:
            files.write(path, formats.render(form, report))
        except UserError as error:
            mouth.say(Warned(str(error)[:LONGEST_WORDS]))


def _packed(report: Report) -> bytes:
    """JSON, deflated. Raises UserError for more than can be kept."""
    data = zlib.compress(encode(report), 6)
    if len(data) > LARGEST:
        raise UserError(
            f"the report has {len(data):,} bytes, and {LARGEST:,} are the most that can be kept\n"
            "  hint: split the inventory into several audits"
        )
    return data


def _failure(error: BaseException) -> Failed:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, UserError):
        from probe.audit.inputs import words  # noqa: PLC0415

        return Failed(words(error)[:LONGEST_WORDS])
    return Failed(f"{type(error).__name__}: {error}"[:LONGEST_WORDS], internal=True)


async def _until_told(run: Run) -> None:
    """From now on, the run ends in order when the service says so, or says nothing any more."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        run.stop()
        # An agent that does not let go must not keep us.
        signal.alarm(_LAST)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    class Watch(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            stop()

    await loop.connect_read_pipe(Watch, sys.stdin)


def _end_with_parent() -> None:
    """The kernel sends SIGTERM when the service ends, however it does. Where it ended before that, there is nobody.
    What is raised by it takes inventory scripts along, as long as the run itself does not see to it.
    """
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
