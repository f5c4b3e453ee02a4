"""`portcheck protocols`: the protocols that have a name, and how each is asked."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse

    from probe.protocols.named import Named

_LEAST = 80


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser(
        "list", help="what each sends, what is healthy, what that proves, what the server logs (also without an action)"
    )
    show = actions.add_parser("show", help="one of them as a piece of a matrix, to copy and change")
    show.add_argument("name", metavar="NAME", help="a protocol, such as redis")
    parser.set_defaults(action="list")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "show":
        return _show(arguments.name)
    return _list()


def _list() -> int:
    from probe.protocols import NAMED
    from probe.protocols.plain import PLAIN

    width = max(_LEAST, shutil.get_terminal_size((_LEAST, 24)).columns)
    for name, known in {**PLAIN, **NAMED}.items():
        port = f" {known.port}" if known.port else ""
        print(f"{name}  {over(name)}{port}")
        for label, text in told(known):
            print(_wrapped(f"    {label:<9}", text.replace("`", ""), width))
        print()
    print("portcheck protocols show NAME: one of the services as a piece of a matrix.")
    return Exit.CONFORMS


def _wrapped(first: str, text: str, width: int) -> str:
    """What people copy stays whole."""
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def over(name: str) -> str:
    """What carries it: `TCP`, `TCP, UDP`, `HTTP`."""
    from probe.model.protocols import WEB, spoken

    ways = [way.protocol.transport.upper() for way in spoken(name) if way.protocol is not None]
    return "HTTP" if name in WEB or name.startswith("http") else ", ".join(ways)


def told(known: Named) -> tuple[tuple[str, str], ...]:
    """What people want to know of it, each with its label."""
    return (
        ("sends", known.sends),
        ("healthy", known.healthy),
        ("proves", known.proves),
        ("logged", known.logs),
        *((("verified", known.verified),) if known.verified else ()),
    )


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
