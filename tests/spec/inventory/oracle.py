"""What ansible-core makes of inventories, in a process of its own: starting Ansible takes longer than all the cases.

Reads a JSON list of [path, working directory] from stdin and prints a list of answers in the same order: hosts, groups
and children as `ansible-inventory --list` has them, or the error.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

from ansible.cli.inventory import InventoryCLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import vars_loader
from ansible.vars.manager import VariableManager


def main() -> None:
    cases = json.load(sys.stdin)
    command = InventoryCLI(["ansible-inventory", "--list", "-i", "unused"])
    command.parse()
    answers = []
    for path, folder in cases:
        os.chdir(folder)
        # Ansible warns freely.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            answers.append(_answer(command, path))
    json.dump(answers, sys.stdout)


def _answer(command: InventoryCLI, path: str) -> dict[str, Any]:
    _forget()
    try:
        command.loader = DataLoader()
        command.inventory = InventoryManager(loader=command.loader, sources=[path])
        command.vm = VariableManager(loader=command.loader, inventory=command.inventory)
        listing = json.loads(command.dump(command.json_inventory(command.inventory.groups["all"])))
    except Exception as error:  # noqa: BLE001  (whatever it is, Ansible refuses)
        return {"error": f"{type(error).__name__}: {error}"}
    hostvars = listing["_meta"]["hostvars"]
    return {
        # The listing leaves out what is empty, and the hosts of `all`.
        "hosts": {name: hostvars.get(name, {}) for name in command.inventory.hosts},
        "groups": command.inventory.get_groups_dict(),
        "children": {
            name: [child.name for child in group.child_groups] for name, group in command.inventory.groups.items()
        },
    }


def _forget() -> None:
    """The plugin for group_vars and host_vars keeps what it found by path, and the working directory's path is `.`."""
    plugin = sys.modules[type(vars_loader.get("host_group_vars")).__module__]
    for kept in (plugin.CANONICAL_PATHS, plugin.FOUND, plugin.NAK):
        kept.clear()


if __name__ == "__main__":
    main()
