"""A PostgreSQL server of our own: Debian's, in a folder of its own, reached by a socket in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path("/usr/lib/postgresql/15/bin")
_READY = 30.0


class Server:
    """It does not start as root, so it runs as Debian's `postgres`; and it ends with us, however we end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._become: tuple[str, ...] = ()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
            self._become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT")
        self._run(BIN / "initdb", "-D", folder / "data", "-A", "trust", "-U", "portcheck", "--no-sync")

    def start(self) -> None:
        command = (*self._become, BIN / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", "-F")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + _READY
        while not self._answers():
            assert time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as in a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_READY)
            self._process = None

    def start_again(self) -> None:
        """If it does not run."""
        if self._process is None:
            self.start()

    def database(self) -> str:
        """The URL of a new one."""
        self._number += 1
        self._run("psql", "-qAt", *self._place("postgres"), "-c", f"CREATE DATABASE h{self._number}")
        return self.url(f"h{self._number}")

    def url(self, name: str) -> str:
        return f"postgresql://portcheck@/{name}?host={self.folder}"

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("psql", "-qAt", *self._place("postgres"), "-c", "SELECT 1")
            return True
        return False

    def _place(self, name: str) -> tuple[str, ...]:
        return "-h", str(self.folder), "-U", "portcheck", "-d", name

    def _run(self, *command: str | Path) -> None:
        subprocess.run((*self._become, *command), check=True, capture_output=True, timeout=_READY, cwd="/")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="portcheck-postgresql-"))
    running = None
    try:
        folder.chmod(0o755)
        try:
            running = Server(folder)
            running.start()
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            reason = f"no PostgreSQL server here: {error}"
            if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1":
                pytest.fail(reason)
            pytest.skip(f"{reason} (needs root and Debian's postgresql-15)")
        yield running
    finally:
        if running is not None:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)
