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
        self._over = False

    def note(self, kind: str, words: str) -> None:
        """Empty words: there is none."""
        if words:
            self.now[kind] = words
            return
        self.now.pop(kind, None)
        if kind in self._told:
            self._told.discard(kind)
            self._over = True

    @property
    def news(self) -> tuple[str, bool]:
        """What was not told yet; and whether something was that is over now, with nothing left."""
        words = "\n".join(words for kind, words in self.now.items() if kind not in self._told)
        return words, self._over and not self.now

    def told(self) -> None:
        """The news have been."""
        self._told = set(self.now)
        self._over = self._over and bool(self.now)

    def __str__(self) -> str:
        return "\n".join(self.now.values())
