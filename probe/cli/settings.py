"""Where an option's value comes from: flag > PORTCHECK_* variable > ./portcheck.toml > the user's config file >
default.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path
from typing import Any

from probe.errors import UserError
from probe.spec.diagnostics import nearest
from probe.text import printable

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_LARGEST = 1024 * 1024


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


def apply(parser: argparse.ArgumentParser, table: str = "") -> None:
    """Make what variables and files say the defaults of this parser's options: the keys at the top of a file, and those
    of `table`. Raises UserError for a value that does not fit or a key that no option has.
    """
    options = _options(parser)
    defaults: dict[str, Any] = {}
    for file in _files():
        content = _read(file)
        for key, value in content.items():
            name = key.replace("-", "_")
            if name in TABLES:
                if not isinstance(value, dict):
                    raise UserError(f"{file}: {key}: a table is wanted: [{key}]")
            elif name in options:
                defaults[name] = _fit(options[name], value, f"{file}: {key}")
            elif name not in _KNOWN:
                raise UserError(f"{file}: unknown key {key!r}\n  hint: {nearest(key, _spelt(options) | TABLES)}")
        if table:
            defaults |= fitted(parser, content.get(table, {}), f"{file}: [{table}]")
    for name, action in options.items():
        variable = f"PORTCHECK_{name.upper()}"
        if variable in os.environ:
            defaults[name] = _fit(action, os.environ[variable], variable)
    parser.set_defaults(**defaults)


def tables(name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The tables `[NAME.…]` of all files, each with the place where it stands. Raises UserError."""
    found = {}
    for file in _files():
        for key, value in _read(file).get(name, {}).items():
            place = f"{file}: [{name}.{printable(key)}]"
            if not isinstance(value, dict):
                raise UserError(f"{place}: a table is wanted\n  hint: write {printable(key)} under [{name}.SOMETHING]")
            found[key] = (place, value)
    return found


def fitted(parser: argparse.ArgumentParser, table: dict[str, Any], place: str) -> dict[str, Any]:
    """A table as options of this parser. Raises UserError with everything that is wrong in it."""
    options = _options(parser)
    found, problems = {}, []
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in options:
            problems.append(f"{place}: unknown key {printable(key)!r}\n  hint: {nearest(key, _spelt(options))}")
            continue
        try:
            found[name] = _fit(options[name], value, f"{place}: {key}")
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    return found


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {
        action.dest: action
        for action in parser._actions  # noqa: SLF001  (argparse has no public list of its options)
        if action.option_strings and action.dest != "help"
    }


def _spelt(options: dict[str, argparse.Action]) -> frozenset[str]:
    return frozenset(name.replace("_", "-") for name in options)


def _files() -> tuple[Path, ...]:
    return _user_file(), Path("portcheck.toml")


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


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.loads(stream.read(_LARGEST).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {error}") from None


def _fit(action: argparse.Action, value: Any, place: str) -> Any:
    """The value as the option would have it from the command line."""
    if action.nargs == 0:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            raise UserError(f"{place}: {value!r} is neither true nor false")
        return word in _TRUE
    repeated = isinstance(action, Repeated)
    if isinstance(value, dict) and repeated:
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        if not repeated:
            raise UserError(f"{place}: one value is wanted, not a list")
        return [_one(action, item, place) for item in value]
    return [_one(action, value, place)] if repeated else _one(action, value, place)


def _one(action: argparse.Action, value: Any, place: str) -> Any:
    try:
        fitted = action.type(str(value)) if callable(action.type) else str(value)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise UserError(f"{place}: {value!r} does not fit: {error}") from None
    if action.choices is not None and fitted not in action.choices:
        raise UserError(f"{place}: {value!r} is not one of {', '.join(map(str, action.choices))}")
    return fitted
