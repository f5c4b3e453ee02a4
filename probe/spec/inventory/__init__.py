"""Ansible inventories, read as Ansible reads them: files, directories, scripts, and the variables beside them.

`directory` finds the files, `reading` reads one and recognises its syntax; `ini`, `yaml`, `listing` and `script` each
fill in a `draft`; `neighbours` reads `group_vars/` and `host_vars/`; `build` makes the model of it all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probe.spec.diagnostics import SpecError
from probe.spec.inventory import build, directory, neighbours
from probe.spec.inventory.draft import Draft
from probe.spec.inventory.family import Family
from probe.spec.inventory.lint import lint
from probe.spec.inventory.reading import Intake, is_json
from probe.spec.inventory.source import NOWHERE, STDIN, Syntax

if TYPE_CHECKING:
    from probe.model.inventory import Inventory
    from probe.spec.diagnostics import Diagnostic
    from probe.spec.inventory.source import Source

__all__ = ["examine", "lint", "load"]

# Characters of a broken JSON that is tried as YAML, which is slow: what a person writes, not what a program prints.
_MAX_TRIAL = 100_000


def load(path: str) -> Inventory:
    """The inventory at a path, or on standard input for `-`. Raises SpecError with every problem."""
    return examine(path)[0]


def examine(path: str) -> tuple[Inventory, list[Diagnostic]]:
    """The inventory, and what `lint` says of it. Raises SpecError with every problem."""
    draft = Draft("<stdin>" if path == STDIN else path)
    intake = Intake(draft.name)
    is_complete = _fill(draft, intake, path)
    build.check(draft)
    family = Family(draft)
    folders = [] if path == STDIN else neighbours.folders(path)
    if is_complete:
        if any(neighbours.exist(folder) for folder, _ in folders[:1]):
            message = "group_vars/ and host_vars/ beside this file are not read: it holds all variables already"
            draft.warn(NOWHERE, message, "give portcheck the inventory itself, if Ansible is to read them anew")
        folders = []
    groups = family.inhabited()
    beside = [neighbours.read(draft, intake, folder, groups, draft.hosts) for folder in folders]
    inventory = build.build(family, beside)
    return inventory, lint(inventory, draft)


def _fill(draft: Draft, intake: Intake, path: str) -> bool:
    """Read every file. Returns whether the inventory is one file that holds all variables already."""
    if path == STDIN or not directory.is_directory(Path(path)):
        return _file(draft, intake, path)
    stopped = False
    for file in directory.files(path):
        try:
            _file(draft, intake, file)
        except SpecError as error:
            draft.take(error)
            stopped = True
    if stopped:
        # What else could be said would only repeat that a file is missing.
        draft.check()
    return False


def _file(draft: Draft, intake: Intake, path: str) -> bool:
    # A syntax is imported when it is met: importing the YAML parser takes longer than reading most files.
    from probe.spec.inventory import script  # noqa: PLC0415

    if path != STDIN and script.is_executable(path) and script.read(draft, intake, path):
        return False
    source = intake.inventory_file(path)
    if source.is_blank:
        return False
    match source.syntax:
        case Syntax.YAML:
            from probe.spec.inventory import yaml  # noqa: PLC0415

            yaml.read(draft, source)
        case Syntax.JSON:
            return _json(draft, source)
        case Syntax.INI:
            from probe.spec.inventory import ini  # noqa: PLC0415

            ini.read(draft, source)
    return False


def _json(draft: Draft, source: Source) -> bool:
    """Where JSON fails, Ansible tries YAML, whose flow mappings look alike; if that fails, JSON's fault is told."""
    is_short = len(source.text) <= _MAX_TRIAL
    if is_short and not source.foreign and not is_json(source.text) and _is_yaml(source):
        from probe.spec.inventory import yaml  # noqa: PLC0415

        yaml.read(draft, source)
        return False
    from probe.spec.inventory import listing  # noqa: PLC0415

    return listing.read(draft, source)


def _is_yaml(source: Source) -> bool:
    from probe.spec.inventory import yaml  # noqa: PLC0415

    trial = Draft(source.name)
    try:
        yaml.read(trial, source)
        trial.check()
    except SpecError:
        return False
    return True
