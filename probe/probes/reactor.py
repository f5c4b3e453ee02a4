"""Many sockets for the price of one: an epoll inside the event loop.

asyncio wakes a handle, a context and a task for each socket event; that costs ten times what the event does. Here all
sockets hang on one epoll, which the loop watches as a single file, and each event is one plain call. Connect engine
and stand-ins share it.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
FAILED = select.EPOLLERR | select.EPOLLHUP
EDGE = select.EPOLLET
# After so many events the loop gets its turn: orders, leases and pings must not wait for a flood.
_BATCH = 256


class Reactor:
    """Handlers by file number. Closing a file takes it out of the epoll by itself; `forget` takes the handler out.

    What is in `after` is called at the end of each turn: what many handlers of one turn ask for is done once. `turning`
    tells them that it will be.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self.turning = False
        self.after: list[Callable[[], None]] = []
        self._loop.add_reader(self._epoll.fileno(), self.turn)

    def add(self, number: int, mask: int, handler: Callable[[int], None]) -> None:
        self._handlers[number] = handler
        self._epoll.register(number, mask)

    def forget(self, number: int) -> None:
        """Call it before the file is closed: the number may be somebody else's a moment later."""
        self._handlers.pop(number, None)

    def remove(self, number: int) -> None:
        """For a file that stays open in other hands."""
        self._handlers.pop(number, None)
        self._epoll.unregister(number)

    def turn(self) -> int:
        """Handle what is ready now, at most one batch; returns how many events there were."""
        events = self._epoll.poll(0, _BATCH)
        handlers = self._handlers
        self.turning = True
        try:
            for number, mask in events:
                handler = handlers.get(number)
                if handler is not None:
                    handler(mask)
        finally:
            self.turning = False
        for hook in self.after:
            hook()
        return len(events)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._handlers.clear()
