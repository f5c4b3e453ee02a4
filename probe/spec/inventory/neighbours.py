"""`group_vars/` and `host_vars/` beside the file. Ansible reads variables from them; what we do not read, we say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.spec.inventory.draft import quoted
from probe.spec.inventory.source import NOWHERE, advice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from probe.spec.inventory.draft import Draft

_SUFFIXES = ("", ".yml", ".yaml", ".json")


def check(draft: Draft) -> None:
    """Note an error for the first file or folder that would give a host or group of this inventory variables."""
    folder = draft.source.folder
    if folder is None:
        return
    for found in (*_met(folder / "group_vars", draft.groups), *_met(folder / "host_vars", draft.hosts)):
        draft.error(
            NOWHERE,
            f"Ansible also reads variables from {quoted(str(found), 200)}, which portcheck does not",
            advice(draft.source.name),
        )
        return


def _met(folder: Path, names: Collection[str]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix in _SUFFIXES and (entry.name in names or entry.stem in names):
            yield entry
