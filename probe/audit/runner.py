"""A run in a process of its own, from the service's side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from probe.audit.order import LARGEST, LONGEST_LINE, Began, Broken, Failed, Going, Made, Order, Warned, decoder, encoder
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.audit.order import Word

COMMAND = (sys.executable, "-m", "probe.audit.worker")
_IN_ORDER = 40.0  # seconds from the word to end until it is killed; the run itself takes 10, its agents 6
_AFTERWARDS = 5.0  # seconds for a process that was killed, or has closed its stdout, to be gone
_LAST_WORDS = 2000


class RunFailed(Exception):
    """There is no report; the text says why, for a person."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is the report: JSON, deflated; `answer` what its exit code is called."""

    data: bytes
    answer: str


class Runner:
    """`make` once. `stop` ends it in order. `hear` is told of every word but the last."""

    def __init__(self, order: Order, deadline: float, hear: Callable[[Word], None]) -> None:
        """`deadline` in seconds: then the run is ended in order, with what it has."""
        self._order = order
        self._deadline = deadline
        self._hear = hear
        self._end = asyncio.Event()
        self._bound = asyncio.timeout(None)
        self.stopped = ""

    def stop(self, why: str) -> None:
        self.stopped = self.stopped or why
        self._end.set()

    async def make(self) -> Outcome:
        """Raises RunFailed. Cancelled, it kills the run."""
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE,
                start_new_session=True,  # Ctrl-C is for the service, which then ends its runs in order
            )
        except OSError as error:
            raise RunFailed(f"no process for the run: {error.strerror or error}") from error
        said = bytearray()
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(_listen(process, said))
                ending = group.create_task(self._ending(process))
                try:
                    async with self._bound:
                        return await self._talk(process, said)
                except TimeoutError as error:
                    raise RunFailed(f"{self.stopped}, and it did not listen") from error
                finally:
                    ending.cancel()
                    await _end(process)
                    listening.cancel()
        except ExceptionGroup as group:
            # Not `except*`: Python 3.11.2, which Debian 12 has, puts what is raised there into a group again.
            raise next((error for error in group.exceptions if isinstance(error, RunFailed)), group) from None

    async def _talk(self, process: asyncio.subprocess.Process, said: bytearray) -> Outcome:
        assert process.stdin is not None  # noqa: S101  (asked for above)
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(encoder.encode(self._order) + b"\n")
            await process.stdin.drain()
            while line := await process.stdout.readline():
                word: Word = decoder.decode(line)
                match word:
                    case Made(size=size, answer=answer):
                        if not 0 < size <= LARGEST:
                            raise RunFailed("the run sent a report of an impossible size")
                        data = await process.stdout.readexactly(size)
                        return Outcome(data=data, answer=answer)
                    case Failed(words=words, internal=internal):
                        raise RunFailed(f"a defect of portcheck: {words}" if internal else words)
                    case Broken() | Warned() | Began() | Going():
                        self._hear(word)
        except (OSError, EOFError, ValueError, msgspec.DecodeError):
            pass  # it has crashed in the middle of a word
        crashed = process.stdout.at_eof()
        if crashed:
            await _exited(process)
        raise RunFailed(self._why(process.returncode if crashed else None, said))

    def _why(self, code: int | None, said: bytearray) -> str:
        if self.stopped:
            return f"{self.stopped}, and nothing was measured by then"
        words = printable(said.decode(errors="replace").strip().rpartition("\n")[2][:500])
        ending = "made no sense" if code is None else f"was ended by signal {-code}" if code < 0 else f"exited {code}"
        return f"the process of the run {ending}{': ' if words else ''}{words}"

    async def _ending(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._end.wait()
        except TimeoutError:
            self.stop("the deadline of the run was over")
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.sleep(_IN_ORDER)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # Its pipes may be in other hands: then they do not end with it.
        self._bound.reschedule(asyncio.get_running_loop().time() + _AFTERWARDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and what it has started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await _exited(process)
    # Where others have its pipes, there is no other way to let go of them.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    assert process.stdin is not None  # noqa: S101  (asked for above)
    # That it did not take its order is told by other words.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_AFTERWARDS):
            await process.stdin.wait_closed()


async def _exited(process: asyncio.subprocess.Process) -> None:
    """Wait until it has ended, and a little for what it has said. asyncio's `wait` also waits for the pipes, which stay
    open as long as something is in them or somebody else has them.
    """
    assert process.stdout is not None  # noqa: S101  (asked for above)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_AFTERWARDS):
            while await process.stdout.read(LONGEST_LINE):
                pass
            await process.wait()


async def _listen(process: asyncio.subprocess.Process, said: bytearray) -> None:
    """What it says beside the words: the best explanation there is when it crashes."""
    assert process.stderr is not None  # noqa: S101
    while data := await process.stderr.read(4096):
        said += data
        del said[:-_LAST_WORDS]
