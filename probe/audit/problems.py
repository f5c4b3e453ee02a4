"""What is wrong with an audit itself: told once when it begins, and once when all of it is over."""

from __future__ import annotations

FILES, RUN, HISTORY, DISK = "files", "run", "history", "disk"
"""The files of the audit, the making of its last run, the history, the state folder."""


class Problems:
    """By kind, one of each."""

    def __init__(self, now: dict[str, str]) -> None:
        """`now` are those that an earlier process has told of."""
        self.now = dict(now)
        self._told = set(now)
        self._over: dict[str, str] = {}

    def note(self, kind: str, words: str) -> None:
        """Empty words: there is none."""
        was = self.now.pop(kind, "")
        if words:
            self.now[kind] = words
            self._over.pop(kind, None)
        elif kind in self._told:
            self._told.discard(kind)
            self._over[kind] = was

    @property
    def news(self) -> tuple[str, bool]:
        """What was not told yet; and whether something was that is over now, with nothing left."""
        words = "\n".join(words for kind, words in self.now.items() if kind not in self._told)
        return words, bool(self._over) and not self.now

    @property
    def was(self) -> str:
        """What was told and is over, a line for each kind."""
        return "\n".join(words.partition("\n")[0] for words in self._over.values())

    def told(self) -> None:
        """The news have been."""
        self._told = set(self.now)
        if not self.now:
            self._over.clear()

    def __str__(self) -> str:
        return "\n".join(self.now.values())
