"""`portcheck inventory show|lint`: an inventory as portcheck reads it."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

from probe.cli.exitcodes import Exit
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse

    from probe.model.inventory import Host, Inventory


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="hosts with their addresses, roles, zone, and how each is reached")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="hosts, groups, their children and all variables, as JSON")
    form.add_argument("--host", metavar="NAME", help="the variables of one host, and where each comes from")
    lint = actions.add_parser("lint", help="every error, and what looks like a slip")
    for action in (show, lint):
        action.add_argument(
            "file",
            nargs="?",
            metavar="FILE",
            help="a file (INI, YAML, `ansible-inventory --list`), a script or a directory; - is stdin",
        )
        action.add_argument("-i", "--inventory", metavar="FILE", help="the same as FILE")


def run(arguments: argparse.Namespace) -> int:
    if arguments.file is not None and arguments.inventory is not None:
        raise UserError("the inventory is named twice: give FILE or --inventory FILE")
    path = arguments.file if arguments.file is not None else arguments.inventory
    if path is None:
        raise UserError(f"no inventory is named: portcheck inventory {arguments.action} FILE")
    if arguments.action == "lint":
        return _lint(path)
    from probe.spec.inventory import load

    inventory = load(path)
    if arguments.json:
        print(json.dumps(_as_json(inventory), indent=2))
    elif arguments.host is not None:
        print(_variables(inventory, arguments.host))
    else:
        print(_as_table(inventory))
    return Exit.CONFORMS


def _lint(path: str) -> int:
    """Problems go to stdout here: they are what was asked for."""
    from probe.spec.diagnostics import SpecError
    from probe.spec.inventory import examine

    try:
        inventory, warnings = examine(path)
    except SpecError as error:
        print(error)
        count = len(error.diagnostics)
        print(f"{count} {'error' if count == 1 else 'errors'}", file=sys.stderr)
        return Exit.USAGE
    for warning in warnings:
        print(warning.render())
    print(f"{_summary(inventory)}; {_count(len(warnings), 'warning') if warnings else 'no problems'}")
    return Exit.CONFORMS


def _as_json(inventory: Inventory) -> dict[str, Any]:
    return {
        "hosts": {
            name: {
                "addresses": list(host.addresses),
                "roles": list(host.roles),
                "zone": str(host.zone),
                "vars": host.vars,
            }
            for name, host in inventory.hosts.items()
        },
        "groups": {name: list(members) for name, members in inventory.groups.items()},
        "children": {name: list(children) for name, children in inventory.children.items()},
    }


def _as_table(inventory: Inventory) -> str:
    from probe.text import printable

    rows = []
    for name, host in inventory.hosts.items():
        cells = name, ", ".join(host.addresses), ", ".join(host.roles) or "-", str(host.zone), reached_by(host)
        rows.append([printable(cell) for cell in cells])
    table = _table(["host", "addresses", "roles", "zone", "reached by"], rows)
    return f"{table}\n\n{_summary(inventory)}"


def _variables(inventory: Inventory, name: str) -> str:
    from probe.spec.diagnostics import nearest
    from probe.text import printable

    host = inventory.hosts.get(name)
    if host is None:
        raise UserError(f"{inventory.source}: there is no host {name!r}\n  hint: {nearest(name, inventory.hosts)}")
    if not host.vars:
        return f"{printable(name)} has no variables"
    rows = [
        [printable(variable), printable(json.dumps(value, ensure_ascii=False)), printable(host.origins[variable])]
        for variable, value in host.vars.items()
    ]
    return _table(["variable", "value", "set by"], rows)


def _table(headers: list[str], rows: list[list[str]]) -> str:
    """Printable cells as wide as the terminal."""
    from tabulate import tabulate

    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    room = max(shutil.get_terminal_size().columns, 80) - 2 * (len(headers) - 1)
    while sum(widths) > room:
        # The widest column gives way; what does not fit goes on in the next line.
        widths[widths.index(max(widths))] -= 1
    return tabulate(rows, headers, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)


def reached_by(host: Host) -> str:
    """The way to the host's agent, in a few words."""
    known = host.vars
    agent = known.get("portcheck_agent")
    if agent is not None:
        return "no agent" if agent == "none" else str(agent)
    if "portcheck_exec" in known:
        return str(known["portcheck_exec"])
    # The long form ends in the short one: ansible.builtin.local.
    connection = str(known.get("ansible_connection", "ssh")).rpartition(".")[2]
    if connection in {"ssh", "smart", "paramiko"}:
        target = str(known.get("ansible_ssh_host", known.get("ansible_host", host.name)))
        user = known.get("ansible_ssh_user", known.get("ansible_user"))
        port = known.get("ansible_ssh_port", known.get("ansible_port"))
        if port:
            target = f"[{target}]:{port}" if ":" in target else f"{target}:{port}"
        return f"ssh {user}@{target}" if user else f"ssh {target}"
    return connection


def _summary(inventory: Inventory) -> str:
    groups = sum(1 for name in inventory.groups if name not in {"all", "ungrouped"})
    return f"{inventory.source}: {_count(len(inventory.hosts), 'host')}, {_count(groups, 'group')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
