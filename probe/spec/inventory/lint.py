"""What is no error and yet looks like a slip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.spec.diagnostics import Diagnostic, Severity
from probe.spec.inventory.draft import ALL, UNGROUPED, quoted

if TYPE_CHECKING:
    from probe.model.inventory import Inventory
    from probe.spec.inventory.draft import Draft, Entry


def lint(inventory: Inventory, draft: Draft | None = None) -> list[Diagnostic]:
    """Warnings, in the files' order. `draft` is what the inventory was built from; without it they name no place."""
    found: list[Diagnostic] = list(draft.warnings) if draft is not None else []
    hosts = draft.hosts if draft is not None else {}
    groups = draft.groups if draft is not None else {}

    def warn(entry: Entry | None, message: str, hint: str = "") -> None:
        if draft is not None and entry is not None:
            found.append(draft.diagnostic(entry.origin, message, hint, Severity.WARNING))
        else:
            found.append(Diagnostic(file=inventory.source, severity=Severity.WARNING, message=message, hint=hint))

    first: dict[str, str] = {}
    for name, host in inventory.hosts.items():
        entry = hosts.get(name)
        for address in host.addresses:
            other = first.setdefault(address, name)
            if other != name:
                warn(
                    entry,
                    f"{quoted(name)} has the address {address}, and so has {quoted(other)}",
                    "if they are one machine, name it once",
                )
        if not host.roles:
            hint = "put it into a group, or give it portcheck_roles"
            warn(entry, f"{quoted(name)} has no role: no flow of a matrix will name it", hint)
        if name in inventory.groups:
            hint = "Ansible confuses the two: rename one"
            warn(entry, f"{quoted(name)} is a host and a group", hint)
    for name, members in inventory.groups.items():
        if not members and name not in {ALL, UNGROUPED}:
            warn(groups.get(name), f"no host is in the group {quoted(name)}")
        if name in {EVERY_HOST, OUTSIDE}:
            hint = (
                "for hosts outside, set portcheck_zone=outside" if name == OUTSIDE else "a matrix means all hosts by it"
            )
            warn(groups.get(name), f"the group {quoted(name)} has the name of something else in a matrix", hint)
    return sorted(set(found))
