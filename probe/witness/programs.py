"""What a process runs: its name and, where that is a machine for other people's programs, the program in it.

Of the words that a process was started with only that one is taken: others may be secrets.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_MOST_WORDS = 256 * 1024  # bytes: a class path names every library
_NAME = re.compile(r"[A-Za-z_$][\w.$-]{0,39}\Z", re.ASCII)
# Those that take the next word (https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html).
_WITH_A_VALUE = frozenset({
    "-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules",
    "--limit-modules", "--add-reads", "--add-exports", "--add-opens", "--patch-module", "--enable-native-access",
    "--source",
})  # fmt: skip


def program(process: Path) -> str:
    """`redis-server`, `java Kafka`, `beam.smp rabbit`, for a folder of /proc. Raises OSError where it is gone."""
    name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    inner = _INNER.get(name)
    if inner is None:
        return name
    with (process / "cmdline").open("rb") as file:
        found = inner(file.read(_MOST_WORDS).decode(errors="replace").split("\0")[1:])
    return f"{name} {found}" if _NAME.match(found) else name


def _java(words: Sequence[str]) -> str:
    """The main class without its package, or the file that has it."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_A_VALUE:
            next(rest, None)
        elif word in ("-jar", "-m", "--module"):
            return _last(next(rest, ""))
        elif not word.startswith(("-", "@")):
            return _last(word)
    return ""


def _last(word: str) -> str:
    """`Kafka` of `kafka.Kafka`, `Main` of `module/package.Main`, `app.jar` of `/opt/app.jar`."""
    name = word.rpartition("/")[2]
    return name if name.endswith(".jar") else name.rpartition(".")[2]


def _erlang(words: Sequence[str]) -> str:
    """The application that is begun with (https://www.erlang.org/doc/apps/erts/erl_cmd.html, `-s`)."""
    return next((following for word, following in pairwise(words) if word == "-s"), "")


_INNER: dict[str, Callable[[Sequence[str]], str]] = {"java": _java, "beam.smp": _erlang, "beam": _erlang}
