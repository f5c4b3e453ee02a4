"""What is wrong with an audit itself: told once when it begins, and once when all of it is over."""

from __future__ import annotations

import msgspec

FILES, RUN, HISTORY, DISK = "files", "run", "history", "disk"
"""The files of the audit, the making of its last run, the history, the state folder."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong `now`, by kind, one of each; the kinds that were `told`; and what was told and is `over`, which
    was not.
    """

    now: dict[str, str] = {}
    told: frozenset[str] = frozenset()
    over: dict[str, str] = {}


class Problems:
    """They outlive the process with what was told of them: whoever is killed before telling tells later."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    @property
    def now(self) -> dict[str, str]:
        return self.standing.now

    def note(self, kind: str, words: str) -> None:
        """Empty words: there is none."""
        now, told, over = self.standing.now, self.standing.told, self.standing.over
        if words:
            here = {kind: words}
            self.standing = Standing(now=now | here, told=told, over=_without(over, kind))
        else:
            over = over | {kind: now[kind]} if kind in told else over
            self.standing = Standing(now=_without(now, kind), told=told - {kind}, over=over)

    @property
    def news(self) -> tuple[str, bool]:
        """What was not told yet; and whether something was that is over now, with nothing left."""
        words = "\n".join(words for kind, words in self.now.items() if kind not in self.standing.told)
        return words, bool(self.standing.over) and not self.now

    @property
    def was(self) -> str:
        """What was told and is over, a line for each kind."""
        return "\n".join(words.partition("\n")[0] for words in self.standing.over.values())

    def told(self) -> None:
        """The news have been."""
        self.standing = Standing(now=self.now, told=frozenset(self.now), over=self.standing.over if self.now else {})

    def __str__(self) -> str:
        return "\n".join(self.now.values())


def _without(words: dict[str, str], kind: str) -> dict[str, str]:
    return {other: said for other, said in words.items() if other != kind}
