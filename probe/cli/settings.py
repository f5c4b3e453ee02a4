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


def apply(parser: argparse.ArgumentParser) -> None:
    """Make what variables and files say the defaults of this parser's options; raises UserError for a value that does
    not fit or a key that no option has.
    """
    options = {
        action.dest: action
        for action in parser._actions  # noqa: SLF001  (argparse has no public list of its options)
        if action.option_strings and action.dest != "help"
    }
    defaults: dict[str, Any] = {}
    for file in (_user_file(), Path("portcheck.toml")):
        for key, value in _read(file).items():
            name = key.replace("-", "_")
            if name not in options:
                if name not in _KNOWN:
                    known = ", ".join(sorted(options))
                    raise UserError(f"{file}: unknown key {key!r}\n  hint: there is: {known}")
                continue
            defaults[name] = _fit(options[name], value, f"{file}: {key}")
    for name, action in options.items():
        variable = f"PORTCHECK_{name.upper()}"
        if variable in os.environ:
            defaults[name] = _fit(action, os.environ[variable], variable)
    parser.set_defaults(**defaults)


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
