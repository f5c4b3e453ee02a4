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

    async def lock(self, audit: str) -> Lock | None:
        """None where another coordinator makes a run of this audit. Raises UserError where there is no history."""
        return await self.ask(lambda history: history.lock(audit))

    async def release(self, lock: Lock) -> None:
        """Where the history is gone, the lock is too."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, lock.__exit__, None, None, None)
        except UserError:
            pass

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
