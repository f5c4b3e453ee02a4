"""What a run is made of, read anew for each: inventory, matrix, waivers.

Where they cannot be used, those of the last run that could be planned are, as they were then with all that belongs to
them: files beside an inventory, what a script printed, several matrices merged. They are kept as values, for no copy of
files could be sure to have them all.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe import __version__
from probe.errors import UserError
from probe.model.inventory import Inventory
from probe.model.matrix import Matrix
from probe.model.waiver import Waiver
from probe.model.words import Exposure, Phase
from probe.plan import Plan, Wishes
from probe.plan.only import parse
from probe.report.files import write
from probe.spec.diagnostics import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.audit.order import Order
    from probe.spec.diagnostics import Diagnostic


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is that of the portcheck that wrote it: another one may see files with other eyes."""

    version: str
    inventory: Inventory
    matrix: Matrix
    waivers: tuple[Waiver, ...] | None = None


def plan(
    order: Order, warn: Callable[[str], None], broken: Callable[[str], None]
) -> tuple[Plan, tuple[Waiver, ...] | None]:
    """The plan of the files as they are, and the waivers if there are any; or, having said to `broken` what is wrong
    with them, those of the kept ones.

    Raises UserError where there is neither.
    """
    try:
        found = _read(order, warn)
        made = _plan(order, found)
    except UserError as error:
        kept = _kept(order)
        if kept is None:
            raise
        found, made = kept, _plan(order, kept)
        broken(words(error))
    else:
        _keep(order, found, warn)
    return made, found.waivers


def words(error: UserError) -> str:
    """What is wrong, without the lines of files: a log and an alert are read by more people than an inventory, and
    there may be a password in one.
    """
    return "\n".join(map(_bare, error.diagnostics)) if isinstance(error, SpecError) else str(error)


def _bare(diagnostic: Diagnostic) -> str:
    return msgspec.structs.replace(diagnostic, text="").render()


def _plan(order: Order, inputs: Kept) -> Plan:
    wishes = Wishes(
        seed=order.seed,
        values=order.values,
        profile=order.profile,
        strict=order.strict,
        phase=Phase(order.phase),
        only=parse(order.only) if order.only else None,
        exposure=Exposure(order.exposure),
    )
    made = Plan(inputs.matrix, inputs.inventory, wishes)
    # What two rows contradict each other in shows in the checks only.
    for source in made.sources:
        deque(made.checks(source), maxlen=0)
    return made


def _read(order: Order, warn: Callable[[str], None]) -> Kept:
    from probe.spec import inventory as inventories  # noqa: PLC0415  (the parsers are for the process of a run)
    from probe.spec import matrix as matrices  # noqa: PLC0415
    from probe.spec.choosing import matrices_of  # noqa: PLC0415

    inventory, warnings = inventories.examine(order.inventory)
    for warning in warnings:
        warn(_bare(warning))
    names = [*order.matrix] or matrices_of(inventory, order.inventory)
    matrix = matrices.load(names)
    if not order.waivers:
        return Kept(version=__version__, inventory=inventory, matrix=matrix)
    from probe.spec import waivers  # noqa: PLC0415

    accepted = waivers.load(order.waivers)
    for warning in accepted.warnings:
        warn(_bare(warning))
    return Kept(version=__version__, inventory=inventory, matrix=matrix, waivers=tuple(accepted.waivers))


def _keep(order: Order, inputs: Kept, warn: Callable[[str], None]) -> None:
    """Variables of an inventory may be secrets: the file is its owner's alone."""
    if not order.kept:
        return
    try:
        write(order.kept, msgspec.msgpack.encode(inputs))
        Path(order.kept).chmod(0o600)
    except (UserError, OSError, TypeError, ValueError) as error:
        warn(f"inventory and matrix could not be kept for the day when a file is broken: {error}")


def _kept(order: Order) -> Kept | None:
    if not order.kept:
        return None
    try:
        return msgspec.msgpack.decode(Path(order.kept).read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
