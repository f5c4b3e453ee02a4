"""When an audit is due: pure, and told the time by whoever asks.

A due time is dealt with once: by a run, or because a run was under way when it came. What was missed while nobody
looked (a stop, a suspended machine, a clock set forward) is made up once, however many due times it was.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from probe.errors import UserError
from probe.spec.diagnostics import nearest
from probe.text import printable

if TYPE_CHECKING:
    from datetime import tzinfo

LEAST = timedelta(minutes=1)
"""No audit comes more often."""
MOST = timedelta(days=366)
# A clock that is set back by no more than this makes nobody run again; set back further, it is a new time.
SET_BACK = timedelta(hours=1)
# Due times that are counted one by one after a stop; where more were missed, nobody needs to know which was the last.
_COUNTED = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_CRON = "  hint: minute, hour, day, month, weekday; '15 2 * * 1-5' is 2:15 from Monday to Friday"


class Every(msgspec.Struct, frozen=True, kw_only=True):
    """At `period` after the first start, and so on: a restart does not shift it."""

    period: timedelta

    def __str__(self) -> str:
        return f"every {duration_words(self.period)}"


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """Five fields as Debian's cron reads them, in the time of `zone` (a name of the IANA database).

    Where a day has 23 or 25 hours, a line with fixed hours comes once in it: what falls into the hour that is skipped
    comes as soon as that is over, what falls into the one that comes twice, the first time. A line with `*` hours or
    minutes goes by the time that passes.
    """

    expression: str
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"{self.expression} ({self.zone})"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """`jitter`: a run comes up to so much later, by an amount that is fixed for each audit and due time."""

    audit: str
    when: Every | Cron
    jitter: timedelta = timedelta()

    def __str__(self) -> str:
        later = f", up to {duration_words(self.jitter)} later" if self.jitter else ""
        return f"{self.when}{later}"


class Marks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of an audit from start to start (times in UTC). `schedule` is the one that the rest goes with, in
    words; due times up to `settled` are dealt with. `anchor` is where a period is counted from. `tries` runs were begun
    for the due time `trying` that did not come to an end.
    """

    schedule: str
    anchor: datetime
    settled: datetime | None = None
    trying: datetime | None = None
    tries: int = 0


def begin(schedule: Schedule, marks: Marks | None, now: datetime) -> Marks:
    """The marks to go on with: an audit that was never made is due now; one whose schedule has changed, when the new
    one says so. Where the clock was set back they begin with now: nothing would be due until it is as late again.
    """
    if marks is None:
        return Marks(schedule=str(schedule), anchor=now)
    if marks.schedule != str(schedule):
        settled = None if marks.settled is None else now
        return Marks(schedule=str(schedule), anchor=now, settled=settled)
    if marks.settled is not None and marks.settled - now > SET_BACK:
        return msgspec.structs.replace(marks, settled=now)
    return marks


def due(schedule: Schedule, marks: Marks, now: datetime) -> tuple[datetime, datetime]:
    """The due time that is not dealt with yet, and when to run for it, which is in the past where it was missed."""
    if marks.settled is None:
        return marks.anchor, min(marks.anchor, now)
    found = _following(schedule, marks.anchor, marks.settled)
    return found, found + delay(schedule, found)


def settle(schedule: Schedule, marks: Marks, now: datetime) -> Marks:
    """With every due time dealt with whose run is not later than `now`."""
    settled = marks.anchor if marks.settled is None else marks.settled
    settled = now if settled - now > SET_BACK else _last(schedule, marks.anchor, settled, now)
    return msgspec.structs.replace(marks, settled=settled, trying=None, tries=0)


def attempt(marks: Marks, found: datetime) -> Marks:
    """With one more run begun for this due time."""
    return msgspec.structs.replace(marks, trying=found, tries=marks.tries + 1 if marks.trying == found else 1)


def delay(schedule: Schedule, found: datetime) -> timedelta:
    """The jitter of one due time: the same whoever asks, and whenever."""
    text = f"{schedule.audit}\n{found.astimezone(UTC).isoformat()}".encode()
    share = int.from_bytes(hashlib.blake2s(text, digest_size=6).digest()) / 2**48
    return timedelta(seconds=int(schedule.jitter.total_seconds() * share))


def _last(schedule: Schedule, anchor: datetime, settled: datetime, now: datetime) -> datetime:
    for _ in range(_COUNTED):
        following = _following(schedule, anchor, settled)
        if following + delay(schedule, following) > now:
            return settled
        settled = following
    return now


def _following(schedule: Schedule, anchor: datetime, after: datetime) -> datetime:
    """The first due time later than `after`, in UTC."""
    match schedule.when:
        case Every(period=period):
            return anchor + ((after - anchor) // period + 1) * period
        case Cron() as cron:
            return _cron(cron, after)


def _cron(cron: Cron, after: datetime) -> datetime:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415  (of the coordinator's extra)

    try:
        # The second of two equal hours seems to lie before the end of the first: what is not later is passed over.
        for found in CronSim(cron.expression, after.astimezone(zone_of(cron.zone))):
            if (utc := found.astimezone(UTC)) > after:
                return utc
    except CronSimError as error:
        if not _without_month(cron.expression):
            raise UserError(f"{printable(cron.expression)!r} is no cron line: {str(error).lower()}\n{_CRON}") from None
    raise UserError(
        f"{printable(cron.expression)!r} never comes\n  hint: no month that it names has that day; '0 0 28 2 *' comes"
    )


def _without_month(expression: str) -> bool:
    """Whether it would come in some other month."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415  (as above)

    minute, hour, day, _, weekday = expression.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", datetime.now(UTC))
    except CronSimError:
        return False
    return True


# --- as people write it -----------------------------------------------------------------------------------------------


def every(text: str) -> Every:
    """Of `6h`; raises UserError."""
    period = duration(text)
    if not LEAST <= period <= MOST:
        raise UserError(f"{printable(text[:40])!r} cannot be kept\n  hint: from 1m to 366d is possible")
    return Every(period=period)


def cron(expression: str, zone: str) -> Cron:
    """Raises UserError for one that makes no sense, or a zone that nobody knows."""
    words = " ".join(expression.split())
    if len(words.split()) != 5 or len(words) > 200:
        raise UserError(f"{printable(expression[:200])!r} is no cron line: five fields are wanted\n{_CRON}")
    zone_of(zone)
    found = Cron(expression=words, zone=zone)
    _cron(found, datetime.now(UTC))
    return found


def duration(text: str) -> timedelta:
    """Of `90s`, `10m`, `6h`, `1d`, `1h30m`; raises UserError."""
    word = "".join(text.split()).lower()
    if not 0 < len(word) <= 40 or _DURATION.sub("", word):
        raise UserError(f"{printable(text[:40])!r} is no time span\n  hint: such as 90s, 10m, 6h, 1d or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(word)))


def duration_words(span: timedelta) -> str:
    """`1d`, `1h30m`: as `duration` reads it."""
    rest, words = int(span.total_seconds()), ""
    for unit in "dhms":
        number, rest = divmod(rest, _UNITS[unit])
        words += f"{number}{unit}" if number else ""
    return words or "0s"


@cache
def zone_of(name: str) -> tzinfo:
    """Of the IANA database. Raises UserError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        known = available_timezones()
        advice = nearest(name, sorted(known)) if known else "install tzdata"
        raise UserError(f"{printable(name[:60])!r} is not known as a time zone\n  hint: {advice}") from None
