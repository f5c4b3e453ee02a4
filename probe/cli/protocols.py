"""`portcheck protocols`: the protocols that have a name, and how each is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse

    from probe.protocols.named import Named


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="what each sends, what counts as healthy (also without an action)")
    show = actions.add_parser("show", help="one of them as a piece of a matrix, to copy and change")
    show.add_argument("name", metavar="NAME", help="a protocol, such as redis")
    parser.set_defaults(action="list")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "show":
        return _show(arguments.name)
    return _list()


def _list() -> int:
    from tabulate import tabulate

    from probe.protocols import NAMED

    rows = [(name, _transports(known), _plain(known.sends), _plain(known.healthy)) for name, known in NAMED.items()]
    headers = ("NAME", "OVER", "SENDS", "HEALTHY IF IT SAYS")
    print(tabulate(rows, headers=headers, tablefmt="plain", maxcolwidths=[None, None, 50, 50]))
    print("\nportcheck protocols show NAME prints one as a piece of a matrix, with what it proves and what is logged.")
    return Exit.CONFORMS


def _show(name: str) -> int:
    from probe.protocols import NAMED
    from probe.spec.diagnostics import nearest
    from probe.spec.matrix.piece import piece

    if name not in NAMED:
        raise UserError(f"protocols: {name!r} has no dialogue of its own\n  hint: {nearest(name, NAMED)}")
    print(piece(name, NAMED[name]), end="")
    return Exit.CONFORMS


def _transports(known: Named) -> str:
    if known.web:
        return "http"
    return " ".join(word for word, steps in (("tcp", known.tcp), ("udp", known.udp)) if steps)


def _plain(text: str) -> str:
    return text.replace("`", "")
