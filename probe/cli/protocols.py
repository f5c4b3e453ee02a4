"""`portcheck protocols`: the protocols that have a name, and how each is asked."""

from __future__ import annotations

import shutil
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
    taken = max(map(len, NAMED)) + len("tcp udp") + 3 * len("  ")
    room = max(20, min((shutil.get_terminal_size().columns - taken) // 2, 70))
    print(tabulate(rows, headers=headers, tablefmt="plain", maxcolwidths=[None, None, room, room]))
    print("\nportcheck protocols show NAME prints one as a piece of a matrix,\nwith what it proves and what is logged.")
    return Exit.CONFORMS


def _show(name: str) -> int:
    from probe.protocols import NAMED
    from probe.spec.diagnostics import nearest
    from probe.spec.matrix.piece import piece

    if name not in NAMED:
        raise UserError(_without(name, nearest(name, NAMED)))
    print(piece(name, NAMED[name]), end="")
    return Exit.CONFORMS


def _without(word: str, near: str) -> str:
    """Why there is nothing to show."""
    from probe.model.protocols import spoken
    from probe.model.words import Protocol
    from probe.protocols import INSIDE_TLS, known_as, meant_by

    if not spoken(word):
        return f"protocols: there is no protocol {word!r}\n  hint: {meant_by(word) or near}"
    if word in set(Protocol):
        return f"protocols: how {word!r} is asked, each row says for itself\n  hint: docs/matrix.md has its keys"
    if known_as(word) is not None and word.endswith(INSIDE_TLS):
        plain = word.removesuffix(INSIDE_TLS)
        hint = f"show {plain!r}, and put the step 'tls' before the others"
        return f"protocols: {word!r} is {plain!r} inside TLS\n  hint: {hint}"
    return f"protocols: {word!r} has no dialogue of its own\n  hint: portcheck protocols lists those that have one"


def _transports(known: Named) -> str:
    if known.web:
        return "http"
    return " ".join(word for word, steps in (("tcp", known.tcp), ("udp", known.udp)) if steps)


def _plain(text: str) -> str:
    return text.replace("`", "")
