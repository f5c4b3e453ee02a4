"""Names as users write them: each by itself, or a glob."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def fits(names: Iterable[str], globs: Iterable[str]) -> bool:
    """Whether one of these names is one of those, or fits one of them taken as a glob. `flows[3]` is itself, although
    as a glob it would be `flows3`.
    """
    known = tuple(globs)
    return any(name == glob or fnmatchcase(name, glob) for name in names for glob in known)
