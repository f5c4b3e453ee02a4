"""One line for each event, on stderr: `audit=nightly event=finished run=17 outcome=deviations`."""

from __future__ import annotations

import logging
import os
import sys

from probe.text import printable

_LONGEST = 2000
_log = logging.getLogger("portcheck.audit")


def start(level: int = logging.INFO) -> None:
    """Lines to stderr, each with its time unless the journal adds one."""
    time = "" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s "
    logging.basicConfig(stream=sys.stderr, level=level, format=f"{time}%(levelname)s %(message)s")
    # Its every request is a line; what is worth one is told by us.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def event(word: str, audit: str = "", *, level: int = logging.INFO, **values: object) -> None:
    """What has happened, in a word, and what goes with it. Empty values are left out."""
    told = {"audit": audit, "event": word, **values}
    _log.log(level, "%s", " ".join(f"{key}={_value(value)}" for key, value in told.items() if value not in ("", None)))


def warning(word: str, audit: str = "", **values: object) -> None:
    event(word, audit, level=logging.WARNING, **values)


def _value(value: object) -> str:
    text = " ".join(str(value).split()) if isinstance(value, str) else str(value)
    text = printable(text[:_LONGEST])
    return text if text and not set(text) & set(" =\"'") else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
