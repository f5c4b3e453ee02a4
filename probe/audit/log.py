"""One line for each event, on stderr: `audit=nightly event=finished run=17 outcome=deviations`."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from probe.text import printable

_LONGEST = 2000
_FORMAT = "%(levelname)s %(message)s"
_PRIORITIES = {logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_log = logging.getLogger("portcheck.audit")


def start(level: int = logging.INFO) -> None:
    """Lines to stderr: each with its time, or for the journal, which adds one, with its priority (sd-daemon(3))."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_ForJournal(_FORMAT) if _is_journal() else logging.Formatter(f"%(asctime)s {_FORMAT}"))
    logging.basicConfig(handlers=[lines], level=level)
    # Its every request is a line; what is worth one is told by us.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


class _ForJournal(logging.Formatter):
    """Each line of a message has the priority, those of a traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


def _is_journal() -> bool:
    """Whether stderr is the very stream that systemd says; the variable alone is inherited by others, too."""
    with contextlib.suppress(OSError, ValueError):
        found = os.fstat(sys.stderr.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def event(word: str, audit: str = "", *, level: int = logging.INFO, **values: object) -> None:
    """What has happened, in a word, and what goes with it. Empty values are left out."""
    _log.log(level, "%s", _line(word, audit, values))


def warning(word: str, audit: str = "", **values: object) -> None:
    event(word, audit, level=logging.WARNING, **values)


def defect(word: str, audit: str = "", **values: object) -> None:
    """Of an exception that nobody foresaw, with where it came from."""
    _log.exception("%s", _line(word, audit, values))


def _line(word: str, audit: str, values: dict[str, object]) -> str:
    told = {"audit": audit, "event": word, **values}
    return " ".join(f"{key}={_value(value)}" for key, value in told.items() if value not in ("", None))


def _value(value: object) -> str:
    text = " ".join(str(value).split()) if isinstance(value, str) else str(value)
    text = printable(text[:_LONGEST])
    return text if text and not set(text) & set(" =\"'") else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
