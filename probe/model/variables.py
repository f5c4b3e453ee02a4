"""Typed variables: what stands in a file, in an inventory or behind `--set`, to a value."""

from __future__ import annotations

import enum
import re
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING, NamedTuple

from probe.model.ports import PortError, PortSet
from probe.model.words import VariableType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probe.model.matrix import Variable


class VariableError(PortError):
    """A text cannot be worked out because of one of its variables. `value` is what it had, None if it had none."""

    def __init__(self, message: str, *, variable: str, value: object = None) -> None:
        super().__init__(message)
        self.variable = variable
        self.value = value


class Unknown(enum.StrEnum):
    """A port that nobody knows beforehand; the value says why."""

    RANDOM = "random"
    UNSTATED = "unstated"


UNKNOWN = frozenset(Unknown)


class Value(NamedTuple):
    """`origin` is where it came from: `--set`, `host`, `group web`, `default`."""

    value: object
    origin: str


_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_NAME = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,252}\Z")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+(?:/\d{1,3})?)\](?::(\d{1,5}))?\Z")
MOST = 1000
"""More names, addresses or endpoints than this no variable may have."""


class Values:
    """The variables as one host has them: `--set` over the inventory over the default. Worked out when asked for, since
    an inventory may use a name for something else that no row of this host needs.
    """

    def __init__(
        self,
        variables: Mapping[str, Variable],
        *,
        given: Mapping[str, object],
        inventory: Mapping[str, object],
        origins: Mapping[str, str],
        hosts: Mapping[str, int],
    ) -> None:
        """`given` is `--set`; `hosts` counts the hosts of each role."""
        self._variables = variables
        self._given = given
        self._inventory = inventory
        self._origins = origins
        self._hosts = hosts
        self._known: dict[str, Value] = {}

    def find(self, name: str) -> Value | None:
        """None where nobody gave it a value; raises VariableError for one that is not of its type."""
        if name not in self._known:
            raw, origin = self._raw(name)
            if raw is None:
                return None
            self._known[name] = Value(coerce(self._variables[name], raw, origin), origin)
        return self._known[name]

    def __getitem__(self, name: str) -> object:
        """Raises VariableError where it has no value, or none of its type."""
        found = self.find(name)
        if found is None:
            raise VariableError(f"variable {name!r} has no value", variable=name)
        return found.value

    def hosts(self, role: str) -> int:
        """How many hosts have this role."""
        return self._hosts.get(role, 0)

    def _raw(self, name: str) -> tuple[object, str]:
        if name in self._given:
            return self._given[name], "--set"
        if self._inventory.get(name) is not None:
            return self._inventory[name], self._origins.get(name, "inventory")
        return self._variables[name].default, "default"


def coerce(variable: Variable, raw: object, origin: str = "") -> object:
    """The value that a text, number, truth value or list stands for: PortSet or Unknown for ports, int for a count,
    bool, str, or a tuple of str. Raises VariableError.
    """
    try:
        value = _READERS[variable.type](raw)
    except ValueError as error:
        whence = f" ({origin})" if origin not in ("", "default") else ""
        raise VariableError(f"variable {variable.name!r}{whence}: {error}", variable=variable.name, value=raw) from None
    if variable.choices and value not in variable.choices:
        known = ", ".join(variable.choices)
        raise VariableError(
            f"variable {variable.name!r}: {_shown(raw)} is none of {known}", variable=variable.name, value=raw
        )
    return value


def _ports(raw: object) -> PortSet | Unknown:
    if isinstance(raw, str) and raw.strip() in UNKNOWN:
        return Unknown(raw.strip())
    items = raw if isinstance(raw, (list, tuple)) and raw else [raw]
    # A bool is an int to Python and a mistake here.
    if any(isinstance(item, bool) or not isinstance(item, (int, str)) for item in items):
        raise ValueError(f"must be a port, a range or a list of them, not {_shown(raw)}")
    return PortSet(found for item in items for found in PortSet.parse(str(item)).ranges)


def _port(raw: object) -> PortSet | Unknown:
    ports = _ports(raw)
    if isinstance(ports, PortSet) and len(ports) != 1:
        raise ValueError(f"must be one port, not {ports}")
    return ports


def _count(raw: object) -> int:
    text = str(raw).strip()
    if isinstance(raw, bool) or not isinstance(raw, (int, str)) or not re.fullmatch(r"\d{1,6}", text):
        raise ValueError(f"must be a whole number from 0 up, not {_shown(raw)}")
    return int(text)


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, (int, str)) else ""
    if word not in _TRUE + _FALSE:
        raise ValueError(f"must be true or false, not {_shown(raw)}")
    return word in _TRUE


def _text(raw: object) -> str:
    if isinstance(raw, (list, tuple, dict)) or not str(raw).strip():
        raise ValueError(f"must be a text, not {_shown(raw)}")
    return str(raw).strip()


def _many(raw: object, what: str, good: Callable[[str], bool]) -> tuple[str, ...]:
    items = raw if isinstance(raw, (list, tuple)) else str(raw).split(",")
    words = [str(item).strip() for item in items]
    if len(words) > MOST:
        raise ValueError(f"has {len(words)} items: at most {MOST} are read")
    for word in words:
        if word and not good(word):
            raise ValueError(f"{_shown(word)} is not {what}")
    return tuple(dict.fromkeys(word for word in words if word))


def is_name(word: str) -> bool:
    """Whether this could be the name of a host."""
    return bool(_NAME.match(word))


def is_address(word: str) -> bool:
    """An IP address, a network (CIDR), or a name."""
    try:
        ip_interface(word)
    except ValueError:
        return is_name(word)
    return True


def split_endpoint(text: str) -> tuple[str, int | None]:
    """Host and port of `host:port`, `[v6]:port`, `10.0.0.0/8:443` or a bare host; raises ValueError."""
    if found := _BRACKETED.match(text):
        host, port = found[1], found[2] or ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not is_address(host) or (port and not port.isdecimal()) or (text.endswith(":") and ":" not in host):
        raise ValueError(f"{_shown(text)} is no endpoint: write name:443, 192.0.2.1:443 or [2001:db8::1]:443")
    if not port:
        return host, None
    return host, PortSet.parse(port).ranges[0][0]


def why_not_one(host: str) -> str:
    """Why the host of an endpoint is not one address that could be asked; empty if it is."""
    if "*" in host:
        return f"{host} stands for many names: name one to check it"
    if "/" in host:
        return f"{host} is a network: name one address in it to check it"
    try:
        return f"{host} is a multicast address" if ip_address(host).is_multicast else ""
    except ValueError:
        return ""


def _endpoints(raw: object) -> tuple[str, ...]:
    def good(word: str) -> bool:
        split_endpoint(word)
        return True

    return _many(raw, "an endpoint", good)


_READERS: dict[VariableType, Callable[[object], object]] = {
    VariableType.PORT: _port,
    VariableType.PORTS: _ports,
    VariableType.COUNT: _count,
    VariableType.BOOLEAN: _boolean,
    VariableType.CHOICE: _text,
    VariableType.TEXT: _text,
    VariableType.NAMES: lambda raw: _many(raw, "a name", is_name),
    VariableType.ADDRESSES: lambda raw: _many(raw, "an address, a name or a network", is_address),
    VariableType.ENDPOINTS: _endpoints,
}


def _shown(raw: object) -> str:
    text = repr(list(raw) if isinstance(raw, tuple) else raw)
    return text if len(text) <= 80 else text[:79] + "…"
