"""The history, from a service that must not wait for it: asked in a thread of its own, and opened again after a
trouble.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from probe.errors import UserError
from probe.history.store import NotKept, open_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.history.database import Lock
    from probe.history.store import History

T = TypeVar("T")
_CLOSING = 5.0


class Archive:
    """Opened when it is first asked."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._history: History | None = None
        self._locks: dict[str, Lock] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")

    async def ask(self, question: Callable[[History], T]) -> T:
        """What the history answers. Raises what `question` raises, and UserError where there is no history."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._asked, question)

    def _asked(self, question: Callable[[History], T]) -> T:
        if self._history is None:
            self._history = open_history(self._place)
        try:
            return question(self._history)
        except NotKept:
            raise
        except UserError:
            # A file that was moved aside, a server that was restarted: what is there now is looked for anew.
            self._close()
            raise

    async def holds(self, audit: str) -> bool | None:
        """Whether it is ours to make runs of this audit, until `release`: taken if it is free, and again if it was lost
        with the database. False where another coordinator has it, None where there is no history to tell.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._holds, audit)

    def _holds(self, audit: str) -> bool | None:
        try:
            if audit in self._locks:
                return self._locks[audit].held()
            lock = self._asked(lambda history: history.lock(audit))
        except UserError:
            return None
        if lock is not None:
            self._locks[audit] = lock
        return lock is not None

    async def release(self, audit: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release, audit)

    def _release(self, audit: str) -> None:
        lock = self._locks.pop(audit, None)
        if lock is not None:
            lock.__exit__(None, None, None)

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSING):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        except TimeoutError:
            pass
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _close(self) -> None:
        history, self._history = self._history, None
        if history is not None:
            try:
                history.close()
            except Exception:  # noqa: BLE001  (it was broken; what matters is that it is let go)
                pass
