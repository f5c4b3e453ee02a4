"""Which matrices an inventory means when nobody names one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probe.errors import UserError
from probe.spec import matrix as matrices

if TYPE_CHECKING:
    from probe.model.inventory import Inventory


def matrices_of(inventory: Inventory, file: str) -> list[str]:
    """What the inventory names, else the one built-in that knows all its roles. Raises UserError where several or none
    do.
    """
    # `ansible-inventory --list` hands the variables of `all` down to the hosts.
    everywhere = [inventory.vars, *(host.vars for host in inventory.hosts.values())]
    named = next((values["portcheck_matrix"] for values in everywhere if values.get("portcheck_matrix")), None)
    if named:
        words = named if isinstance(named, list) else str(named).split(",")
        folder = Path(file).parent
        return [_beside(folder, str(word).strip()) for word in words if str(word).strip()]
    groups = {role for host in inventory.hosts.values() for role in host.roles}
    fits: dict[str, set[str]] = {}
    for name in matrices.builtin():
        matrix = matrices.load([name])
        fits[name] = {group for group in groups if matrix.role_named(group) is not None}
    whole = [name for name, known in fits.items() if groups and known == groups]
    if len(whole) == 1:
        return whole
    close = sorted((name for name in fits if fits[name]), key=lambda name: -len(fits[name]))
    reason = "several built-in matrices know all of its roles" if whole else "no built-in matrix knows all of its roles"
    lines = [f"{file}: which matrix? {reason}"]
    for name in whole or close[:3]:
        missing = sorted(groups - fits[name])
        lines.append(
            f"  {name} knows {len(fits[name])} of {len(groups)}"
            + (f"; not {', '.join(missing[:8])}" if missing else "")
        )
    lines.append(
        "  hint: give --matrix NAME|FILE, or portcheck_matrix=NAME in [all:vars]; "
        "portcheck matrix list shows what is built in"
    )
    raise UserError("\n".join(lines))


def _beside(folder: Path, name: str) -> str:
    """A file that an inventory names is looked for beside the inventory first."""
    beside = folder / name
    return str(beside) if Path(name).suffix in {".yaml", ".yml"} and beside.is_file() else name
