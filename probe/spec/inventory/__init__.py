"""Ansible inventories: INI, YAML and the JSON of `ansible-inventory --list`, read as Ansible reads them.

`source` reads the file and recognises its syntax; `ini`, `yaml` and `listing` each fill a `draft`; `build` makes the
model of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.spec.inventory import neighbours, source
from probe.spec.inventory.build import build
from probe.spec.inventory.lint import lint
from probe.spec.inventory.source import Syntax

if TYPE_CHECKING:
    from probe.model.inventory import Inventory
    from probe.spec.diagnostics import Diagnostic
    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Source

__all__ = ["examine", "lint", "load"]


def load(path: str) -> Inventory:
    """The inventory in a file, or on standard input for `-`. Raises SpecError with every problem."""
    return examine(path)[0]


def examine(path: str) -> tuple[Inventory, list[Diagnostic]]:
    """The inventory, and what `lint` says of it. Raises SpecError with every problem."""
    draft = _read(source.read(path))
    neighbours.check(draft)
    inventory = build(draft)
    return inventory, lint(inventory, draft)


def _read(text: Source) -> Draft:
    # A syntax is imported when it is met: importing the YAML parser takes longer than reading most files.
    match text.syntax:
        case Syntax.YAML:
            from probe.spec.inventory import yaml  # noqa: PLC0415

            return yaml.read(text)
        case Syntax.JSON:
            from probe.spec.inventory import listing  # noqa: PLC0415

            return listing.read(text)
        case Syntax.INI:
            from probe.spec.inventory import ini  # noqa: PLC0415

            return ini.read(text)
