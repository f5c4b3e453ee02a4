"""Where an option's value comes from: flag > PORTCHECK_* variable > ./portcheck.toml > the user's config file >
default.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from probe.errors import UserError
from probe.spec import toml
from probe.spec.diagnostics import Diagnostic, SpecError, nearest
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


class Repeated(argparse.Action):
    """An option that may be given several times. The first one on the command line replaces what settings say."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [values] if given is self.default or given is None else [*given, values])


class Unfit(argparse.ArgumentTypeError):
    """A value that an option cannot have. `inside` is its number, where several are given."""

    def __init__(self, what: str, hint: str = "", inside: tuple[int, ...] = ()) -> None:
        super().__init__(f"{what}: {hint}" if hint else what)
        self.what, self.hint, self.inside = what, hint, inside


class Origin(NamedTuple):
    """The key of a file that an option has its value from."""

    table: toml.Table
    key: str

    def wrong(self, what: str, hint: str, inside: tuple[int, ...] = ()) -> Diagnostic:
        return self.table.wrong(f"{printable(self.key)}: {what}", hint, self.key, *inside)


class Fitted(NamedTuple):
    """Options by name: their values, and where each has it from."""

    values: dict[str, Any]
    origins: dict[str, Origin]


def fits(read: Callable[[str], object]) -> Callable[[str], str]:
    """For an option's `type`: the text as it is, where `read` raises no UserError."""

    def checked(text: str) -> str:
        try:
            read(text)
        except UserError as error:
            what, _, hint = str(error).partition("\n  hint: ")
            raise Unfit(what, hint) from None
        return text

    return checked


def apply(parser: argparse.ArgumentParser, table: str = "") -> dict[str, Origin]:
    """Make what variables and files say the defaults of this parser's options: the keys at the top of a file, and those
    of `table`. Returns where files say them. Raises UserError for values that do not fit and keys that no option has.
    """
    options = _options(parser)
    defaults: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for document in _documents():
        top = document.table()
        problems = [
            top.wrong(f"{key}: a table is wanted", f"write [{key}]", key)
            for key in TABLES & top.content.keys()
            if not isinstance(top.content[key], dict)
        ]
        if problems:
            raise SpecError(problems)
        found = [_fitted(options, top, _KNOWN | TABLES)]
        if table in top.content:
            found.append(_fitted(options, top.inner(table)))
        for one in found:
            defaults |= one.values
            origins |= one.origins
    for name, action in options.items():
        variable = f"PORTCHECK_{name.upper()}"
        if variable in os.environ:
            try:
                defaults[name] = _fit(action, os.environ[variable])
            except Unfit as error:
                raise UserError(f"{variable}: {error}") from None
            origins.pop(name, None)
    parser.set_defaults(**defaults)
    return origins


def tables(name: str) -> dict[str, toml.Table]:
    """The tables `[NAME.…]` of all files. Raises UserError."""
    found = {}
    for document in _documents():
        outer = document.table(name)
        for key, value in document.content.get(name, {}).items():
            if not isinstance(value, dict):
                hint = f"write {printable(key)} under [{name}.SOMETHING]"
                raise SpecError([outer.wrong(f"{printable(key)}: a table is wanted", hint, key)])
            found[key] = outer.inner(key)
    return found


def fitted(parser: argparse.ArgumentParser, table: toml.Table) -> Fitted:
    """A table as options of this parser. Raises SpecError with everything that is wrong in it."""
    return _fitted(_options(parser), table)


def _fitted(options: dict[str, argparse.Action], table: toml.Table, others: frozenset[str] = frozenset()) -> Fitted:
    """`others` are keys that are somebody else's, if they are no options."""
    found, problems = Fitted({}, {}), []
    for key, value in table.content.items():
        name = key.replace("-", "_")
        origin = Origin(table, key)
        if name in options:
            try:
                found.values[name] = _fit(options[name], value)
            except Unfit as error:
                problems.append(origin.wrong(error.what, error.hint, error.inside))
            found.origins[name] = origin
        elif name not in others:
            known = _spelt(options) | (TABLES if others else frozenset())
            hint = nearest(key, known)
            if table.keys == ("audit",) and isinstance(value, dict):
                hint = f"a table of one audit is [audits.{printable(key)}]; what all share stands under [audit]"
            problems.append(table.wrong(f"unknown key {printable(key)!r}", hint, key, value=False))
    if problems:
        raise SpecError(problems)
    return found


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {
        action.dest: action
        for action in parser._actions  # noqa: SLF001  (argparse has no public list of its options)
        if action.option_strings and action.dest != "help"
    }


def _spelt(options: dict[str, argparse.Action]) -> frozenset[str]:
    return frozenset(name.replace("_", "-") for name in options)


def _documents() -> list[toml.Document]:
    files = (_user_file(), Path("portcheck.toml"))
    return [document for file in files if (document := toml.read(file)) is not None]


TABLES = frozenset({"audit", "audits", "alerts"})
"""Tables that are one command's own."""
# Options of other commands may stand in the same file.
_KNOWN = frozenset(
    {
        "connect",
        "deadline",
        "exposure",
        "format",
        "history",
        "html",
        "identity",
        "inventory",
        "json",
        "junit",
        "matrix",
        "max_rate",
        "only",
        "output",
        "pcap",
        "phase",
        "ports",
        "profile",
        "seed",
        "set",
        "strict",
        "timeout",
        "udp",
        "waivers",
        "xml",
    }
)


def _user_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(base) / "portcheck" / "config.toml"


def _fit(action: argparse.Action, value: Any) -> Any:
    """The value as the option would have it from the command line. Raises Unfit."""
    if action.nargs == 0:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            raise Unfit(f"{value!r} is neither true nor false")
        return word in _TRUE
    repeated = isinstance(action, Repeated)
    if isinstance(value, dict) and repeated:
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        if not repeated:
            raise Unfit("one value is wanted, not a list")
        return [_one(action, item, (number,)) for number, item in enumerate(value)]
    return [_one(action, value)] if repeated else _one(action, value)


def _one(action: argparse.Action, value: Any, inside: tuple[int, ...] = ()) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = {bool: "true or false", dict: "a table", list: "a list"}.get(type(value), "a time")
        raise Unfit(f"a text is wanted, not {kind}", "texts stand in quotes", inside)
    try:
        fitted = action.type(str(value)) if callable(action.type) else str(value)
    except Unfit as error:
        raise Unfit(error.what, error.hint, inside) from None
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise Unfit(f"{value!r} does not fit", str(error), inside) from None
    if action.choices is not None and fitted not in action.choices:
        raise Unfit(f"{value!r} is not one of {', '.join(map(str, action.choices))}", "", inside)
    return fitted
