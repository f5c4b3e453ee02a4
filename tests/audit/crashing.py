"""`portcheck audit`, killed by itself at a moment that the first word names, its worker a fake where there is a second.

Started as a file: `crashing.py MOMENT [fake] audit …`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from probe.audit import making, problems, runner, schedule, service, spool
from probe.audit.order import Began, Going
from probe.cli.main import main
from probe.history import store


def die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str) -> None:
    real = getattr(owner, name)

    def then_die(*words: object, **more: object) -> None:
        real(*words, **more)
        die()

    setattr(owner, name, then_die)


def on(kind: type, words: str = "") -> None:
    real = making.Making._hear

    def hear(self: Any, word: Any, **more: Any) -> None:
        real(self, word, **more)
        if isinstance(word, kind) and words in getattr(word, "words", ""):
            die()

    making.Making._hear = hear  # type: ignore[method-assign]


def serverless() -> None:
    """The PostgreSQL server in $SERVER is killed once, in the midst of a transaction."""
    real = store.write_rows

    def then_kill(*words: Any, **more: Any) -> Any:
        found = real(*words, **more)
        store.write_rows = real
        server = int((Path(os.environ["SERVER"]) / "data/postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
        # Whoever started it has not heard of its end yet.
        while Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        return found

    store.write_rows = then_kill


def prepare(moment: str) -> None:
    match moment:
        case "ordered":
            runner.Runner.make = die  # type: ignore[method-assign]
        case "begun":
            on(Began)
        case "reaching":
            on(Going, "reaching agents")
        case "spooled":
            after(spool.Spool, "put")
        case "recording":  # in the midst of the transaction
            after(store, "write_rows")
        case "recorded":
            service.Service.ended = die  # type: ignore[method-assign]
        case "told":  # and not noted
            problems.Problems.told = die  # type: ignore[method-assign]
        case "noted":  # and not counted
            service.Service.noted = die  # type: ignore[method-assign]
        case "shown":
            spool.Spool.remove = die  # type: ignore[method-assign]
        case "failing":  # the audit knows, and the history does not
            store.History.fail = die  # type: ignore[method-assign]
        case "lost":  # told, and not written down
            store.History.recover = die  # type: ignore[method-assign]
        case "serverless":
            serverless()
        case "never":
            pass
    schedule.LEAST = timedelta(seconds=1)
    service._CATCHING_UP = 0.2
    service._LOOKING = 0.2
    making._HOLDING = 0.2


if __name__ == "__main__":
    prepare(sys.argv[1])
    words = sys.argv[2:]
    if words[0] == "fake":
        runner.COMMAND = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
        words = words[1:]
    sys.exit(main(words))
