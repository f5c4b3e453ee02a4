"""A program under test, in a folder with a little shop to check."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = """\
portcheck: 1
name: shop
roles: {web: {}, db: {}}
services:
  sql: {role: db, port: 47813, protocol: tcp}
flows:
  - {from: web, to: sql}
policy: {inside: ignore, outside: ignore}
"""
HOSTS = """\
[web]
w1 portcheck_address=127.84.0.1
[db]
d1 portcheck_address=127.84.0.2
[all:vars]
ansible_connection=local
portcheck_matrix=shop.yaml
"""


class Process:
    """A program under test and what it says on stderr."""

    def __init__(self, command: list[str], folder: Path, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTCHECK_")}
        state = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        self.process = subprocess.Popen(
            command, cwd=folder, env=clean | state | environment, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def said(self, words: str, seconds: float = 20.0, count: int = 1) -> str:
        """The first line with these words in it, when so many are there."""
        end = time.monotonic() + seconds
        with self._more:
            while len(found := [line for line in self.lines if words in line]) < count:
                assert self._more.wait(max(end - time.monotonic(), 0)), "".join(self.lines)
        return found[0]

    def wait(self, seconds: float = 20.0) -> int:
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
