"""What `run`, `plan` and `explain` share: the arguments, and from them a plan."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from probe.cli import settings
from probe.errors import UserError
from probe.model.words import Exposure, Phase

if TYPE_CHECKING:
    from probe.model.inventory import Inventory
    from probe.model.matrix import Matrix
    from probe.plan import Plan, Wishes

PHASES = ("auto", "pre-install", "live")
EXPOSURES = ("known", "listening", "all")


def add_arguments(parser: argparse.ArgumentParser, phase: str = "auto") -> None:
    """Everything that a plan of many checks takes. `phase` is the default."""
    add_specification(parser, phase)
    parser.add_argument(
        "--exposure",
        choices=EXPOSURES,
        default="listening",
        help="which ports must not be reachable where no flow allows it: known, those that any service of the target "
        "names; listening (default), those that something listens on there too; all, every port, found by sweeps",
    )
    parser.add_argument(
        "--only",
        metavar="EXPR",
        help="a part of the plan, check by check, such as 'source=engine-* service=redis,nsq* port=6379'",
    )
    parser.add_argument(
        "--seed", type=_natural, metavar="N", help="order of the checks; the report names the one that was used"
    )
    parser.add_argument(
        "--max-rate",
        type=_rate,
        metavar="PPS",
        default=0.0,
        help="connection attempts and datagrams a second from each source (default: no limit but the window)",
    )


def add_specification(parser: argparse.ArgumentParser, phase: str = "auto") -> None:
    """What is there, and what is asked of it."""
    parser.add_argument(
        "-i",
        "--inventory",
        metavar="FILE",
        help="Ansible inventory: INI, YAML, or the JSON of ansible-inventory --list; - is stdin",
    )
    parser.add_argument(
        "-m",
        "--matrix",
        metavar="NAME|FILE",
        action=settings.Repeated,
        help="built-in specification or a file of your own; several are merged "
        "(default: what the inventory names, or the one built-in that fits)",
    )
    parser.add_argument(
        "--phase",
        choices=PHASES,
        default=phase,
        help="pre-install: stand-ins answer on every port; live: the services themselves, nothing is opened; "
        f"auto: stand-ins only where nothing listens (default: {phase})",
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="a profile of the matrix: the roles that it requires must be there"
    )
    parser.add_argument(
        "--set", metavar="VAR=VALUE", action=settings.Repeated, help="a variable of the matrix; wins over the inventory"
    )
    parser.add_argument("--strict", action="store_true", help="whatever no flow allows is a deviation, inside too")


def _natural(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError("a number from 0 up is wanted")
    return number


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e9:
        raise argparse.ArgumentTypeError("a number above 0 is wanted")
    return rate


def seed_of(arguments: argparse.Namespace) -> int:
    """The given seed, or a fresh one."""
    import secrets

    return int(arguments.seed) if arguments.seed is not None else secrets.randbelow(2**31)


def make_plan(arguments: argparse.Namespace, seed: int) -> Plan:
    """Read everything and lay it over each other; raises UserError with all that is wrong."""
    from probe.plan import Plan
    from probe.plan.only import parse

    matrix, inventory = read(arguments)
    only = parse(arguments.only) if arguments.only else None
    exposure = Exposure(arguments.exposure)
    return Plan(matrix, inventory, msgspec.structs.replace(wishes(arguments), seed=seed, only=only, exposure=exposure))


def wishes(arguments: argparse.Namespace) -> Wishes:
    """Those of add_specification."""
    from probe.plan import Wishes

    return Wishes(
        values=assignments(arguments.set or []),
        profile=arguments.profile or "",
        strict=arguments.strict,
        phase=Phase(arguments.phase),
    )


def read(arguments: argparse.Namespace) -> tuple[Matrix, Inventory]:
    """Warnings about the inventory go to stderr; raises UserError with all that is wrong."""
    from probe.spec import inventory as inventories
    from probe.spec import matrix as matrices
    from probe.spec.choosing import matrices_of

    if not arguments.inventory:
        raise UserError(
            f"portcheck {arguments.command}: --inventory FILE is needed\n"
            "  hint: an Ansible inventory will do; examples/hosts.txt is one"
        )
    inventory, warnings = inventories.examine(arguments.inventory)
    for warning in warnings:
        print(warning.render(), file=sys.stderr)
    names = [name for name in arguments.matrix or [] if name] or matrices_of(inventory, arguments.inventory)
    return matrices.load(names), inventory


def assignments(texts: list[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set: {text!r} is not of the form VAR=VALUE")
        values[name.strip()] = value
    return values
