"""`group_vars/` and `host_vars/`: files of variables beside an inventory, found as Ansible finds them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import jsontext, tree, variables
from probe.spec.inventory.directory import entries, is_directory, mode
from probe.spec.inventory.layers import Layer
from probe.spec.inventory.reading import YAML_SUFFIXES, extension
from probe.spec.inventory.source import Syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.reading import Intake
    from probe.spec.inventory.source import Source

_FOLDERS = ("group_vars", "host_vars")


class Neighbours(NamedTuple):
    """The variables beside one folder, by group and by host; of each, the layer that wins last."""

    groups: dict[str, list[Layer]]
    hosts: dict[str, list[Layer]]


def folders(path: str) -> list[tuple[Path, str]]:
    """Where variables for the inventory at a path are looked for, and how `Layer.said` calls it.

    As with `ansible-inventory`, the working directory stands in for that of a playbook, and wins.
    """
    own = Path(path) if is_directory(Path(path)) else Path(path).parent
    here = Path()
    try:
        return [(own, "")] if own.samefile(here) else [(own, ""), (here, "./")]
    except OSError:
        return [(own, "")]


def exist(folder: Path) -> bool:
    return any(is_directory(folder / name) for name in _FOLDERS)


def read(
    draft: Draft, intake: Intake, folder: tuple[Path, str], groups: Iterable[str], hosts: Iterable[str]
) -> Neighbours:
    """What stands beside one folder for these groups and hosts. Problems are noted in the draft."""
    path, called = folder
    reader = _Reader(draft, intake, path, called)
    return Neighbours(
        groups=reader.all("group_vars", {name: f"group {name}" for name in groups}),
        hosts=reader.all("host_vars", dict.fromkeys(hosts, "host")),
    )


class _Reader:
    def __init__(self, draft: Draft, intake: Intake, folder: Path, called: str) -> None:
        self.draft = draft
        self.intake = intake
        self.folder = folder
        self.called = called

    def all(self, subfolder: str, owners: dict[str, str]) -> dict[str, list[Layer]]:
        """The layers of each name; the words for it stand beside it."""
        found: dict[str, list[Layer]] = {}
        folder = self.folder / subfolder
        try:
            if not is_directory(folder):
                return found
        except SpecError as error:
            self.draft.take(error)
            return found
        for name, owner in owners.items():
            try:
                found[name] = [layer for path in _files(folder, name) if (layer := self.layer(path, owner)) is not None]
            except SpecError as error:
                self.draft.take(error)
        return found

    def layer(self, path: Path, owner: str) -> Layer | None:
        """The variables of one file; None if it holds none. Raises SpecError for what cannot be parsed."""
        source = self.intake.variables_file(path)
        value = _value(self.draft, source)
        if not value:
            return None
        if not isinstance(value, dict):
            self.draft.error(source.at(0, 0), "variables are expected here", "write `name: value`, one a line")
            return None
        origins = {name: source.at(value, name) for name in value}
        named = [tree.is_name(self.draft, "variable", name, origin) for name, origin in origins.items()]
        if not all(named):
            return None
        variables.unknown(self.draft, origins)
        return Layer(f"{owner}, {self.called}{path.relative_to(self.folder)}", value, origins)


def _value(draft: Draft, source: Source) -> Any:
    if source.syntax is Syntax.JSON:
        return jsontext.load(draft, source)
    from probe.spec.inventory import yaml  # noqa: PLC0415  (importing the parser takes longer than reading most files)

    return yaml.load(draft, source)


def _files(folder: Path, name: str) -> list[Path]:
    """The file of a host or group, or all files of its directory; the first extension that is there decides."""
    if name.startswith("/"):
        return []
    for suffix in YAML_SUFFIXES:
        path = folder / f"{name}{suffix}"
        kind = mode(path)
        if kind is not None:
            return list(_walk(path, 0)) if stat.S_ISDIR(kind) else [path]
    return []


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for path in entries(folder, depth):
        kind = mode(path)
        if kind is None or path.name.endswith("~"):
            continue
        suffix = extension(path.name)
        if stat.S_ISDIR(kind) and not suffix:
            yield from _walk(path, depth + 1)
        elif stat.S_ISREG(kind) and suffix in YAML_SUFFIXES:
            yield path
