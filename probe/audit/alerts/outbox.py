"""What one alert must not forget: what is not delivered yet, and what it has told. One file, replaced whole."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import msgspec

from probe.audit.alerts.alertmanager import Firing
from probe.audit.alerts.message import Message
from probe.audit.alerts.news import Memory
from probe.encoding import encode
from probe.text import printable

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("portcheck.alerts")

MOST_WAITING = 20
OLDEST = 2 * 24 * 3600.0  # seconds
_LARGEST = 16 * 1024 * 1024


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A message and when it was written (seconds since 1970)."""

    message: Message
    since: float


class State(msgspec.Struct, frozen=True, kw_only=True):
    """By audit: `memory`, `firing` (what Alertmanager is told, by fingerprint) and `until` when that holds. `unsent`:
    Alertmanager has not been told yet. `lost` counts messages that were given up since one was delivered.
    """

    memory: dict[str, Memory] = {}
    waiting: tuple[Waiting, ...] = ()
    lost: int = 0
    firing: dict[str, dict[str, Firing]] = {}
    until: dict[str, float] = {}
    unsent: bool = False

    def with_message(self, message: Message, now: float) -> State:
        """The oldest makes room, and is lost."""
        waiting = (*self.waiting, Waiting(message=message, since=now))
        over = max(len(waiting) - MOST_WAITING, 0)
        return msgspec.structs.replace(self, waiting=waiting[over:], lost=self.lost + over)

    def without_old(self, now: float) -> State:
        kept = tuple(one for one in self.waiting if now - one.since <= OLDEST)
        lost = len(self.waiting) - len(kept)
        return msgspec.structs.replace(self, waiting=kept, lost=self.lost + lost) if lost else self

    def delivered(self, message: Message, told: int) -> State:
        """With it the receiver was told of so many that were lost."""
        return msgspec.structs.replace(self._without(message), lost=self.lost - told)

    def refused(self, message: Message) -> State:
        return msgspec.structs.replace(self._without(message), lost=self.lost + 1)

    def _without(self, message: Message) -> State:
        waiting = tuple(one for one in self.waiting if one.message.id != message.id)
        return msgspec.structs.replace(self, waiting=waiting)

    def with_firing(self, audit: str, fires: dict[str, Firing], now: float, until: float) -> State:
        """What ended and was not sent yet stays until it is. Audits of which nothing was heard for so long that their
        alerts have ended by themselves are forgotten.
        """
        ended = {key: one for key, one in self.firing.get(audit, {}).items() if one.ends}
        firing = {other: known for other, known in self.firing.items() if self.until[other] > now}
        firing |= {audit: ended | fires}
        unsent = self.unsent or bool(firing[audit])
        return msgspec.structs.replace(self, firing=firing, until=self.until | {audit: until}, unsent=unsent)

    def with_sent(self, sent: State) -> State:
        """Alertmanager knows what stood in `sent`, which may not be all by now."""
        firing = {
            audit: {
                key: one for key, one in fires.items() if not (one.ends and sent.firing.get(audit, {}).get(key) == one)
            }
            for audit, fires in self.firing.items()
        }
        return msgspec.structs.replace(self, firing=firing, unsent=self.firing != sent.firing)


class Outbox:
    """Without a folder nothing outlives the process."""

    def __init__(self, folder: Path | None, alert: str) -> None:
        self._file = folder / f"{alert}.json" if folder is not None else None

    def load(self) -> State:
        """What was saved. Where it cannot be read, that is logged, and begins anew: an alert too many is no harm."""
        if self._file is None:
            return State()
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(_LARGEST), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
            log.warning('event=begun-anew file=%s why="%s"', self._file, printable(str(error)[:200]))
            return State()

    def save(self, state: State) -> None:
        """A full disk costs what is waiting if the service ends before it is sent, and nothing else."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._file.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(encode(state))
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._file)
        except OSError as error:
            log.warning('event=not-written file=%s why="%s"', self._file, error.strerror or error)
