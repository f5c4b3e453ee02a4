"""The variables that portcheck itself reads, each checked where it stands: address, roles, zone, the way to a host."""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from probe.model.words import Zone
from probe.spec.diagnostics import nearest
from probe.spec.inventory.draft import quoted
from probe.spec.inventory.source import advice

if TYPE_CHECKING:
    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin

KNOWN = (
    "portcheck_address",
    "portcheck_agent",
    "portcheck_allow",
    "portcheck_exec",
    "portcheck_matrix",
    "portcheck_roles",
    "portcheck_zone",
)
# The older name wins, as in Ansible.
HOST_VARIABLES = ("ansible_ssh_host", "ansible_host")
PORT_VARIABLES = ("ansible_ssh_port", "ansible_port")

_PLACEHOLDERS = {"", "none", "null", "undefined", "unknown", "n/a", "tbd", "todo", "changeme", "change_me", "x.x.x.x"}
_TEMPLATE = re.compile(r"\{\{|\{%")
_NAME = re.compile(r"\w(?:[\w.-]{0,251}\w)?\.?\Z")
_OURS = re.compile(r"port_?check[_-]", re.IGNORECASE)


class Setting(NamedTuple):
    """A variable as a host has it, and where that value stands (in the host's own line, or with one of its groups)."""

    name: str
    value: Any
    origin: Origin


class Settings:
    """The variables of one host, looked up by name."""

    def __init__(self, draft: Draft, values: dict[str, Any], origins: dict[str, Origin]) -> None:
        self.draft = draft
        self.values = values
        self.origins = origins

    def get(self, *names: str) -> Setting | None:
        """The first of the names that is set."""
        for name in names:
            if name in self.values:
                return Setting(name, self.values[name], self.origins[name])
        return None

    def problem(self, setting: Setting, message: str, hint: str = "") -> None:
        self.draft.error(setting.origin, f"{setting.name} {message}", hint)

    def text(self, setting: Setting, example: str) -> str | None:
        """The value as text that means something; None after noting why it is none."""
        value = setting.value
        if isinstance(value, dict) and "__ansible_vault" in value:
            self.problem(setting, "is encrypted with ansible-vault", advice(self.draft.name, " --ask-vault-pass"))
        elif isinstance(value, str) and _TEMPLATE.search(value):
            self.problem(
                setting,
                f"is a template, which portcheck does not evaluate: {quoted(value)}",
                f"write out what it stands for, for example {example}; `ansible-inventory --list` shows all values",
            )
        elif value is None or (isinstance(value, str) and _is_placeholder(value)):
            shown = "None" if value is None else quoted(value)
            self.problem(
                setting, f"is {shown}, a placeholder", f"leave the variable out, or write for example {example}"
            )
        elif not isinstance(value, str):
            self.problem(setting, f"is {quoted(value)}, which is not text", f"write for example {example}")
        elif not value.isprintable():
            self.problem(
                setting, f"has a character that cannot be shown: {quoted(value)}", f"write for example {example}"
            )
        else:
            return value.strip()
        return None

    def words(self, setting: Setting, example: str) -> list[str]:
        """A comma list, or a list."""
        value = setting.value
        parts: list[Any] = value if isinstance(value, list) else [value]
        if isinstance(value, str) and not _TEMPLATE.search(value):
            parts = value.split(",")
        elif isinstance(value, list) and not value:
            self.problem(setting, "is an empty list", f"leave the variable out, or write for example {example}")
        words = [self.text(setting._replace(value=part), example) for part in parts]
        return list(dict.fromkeys(word for word in words if word is not None))


def unknown(draft: Draft, origins: dict[str, Origin]) -> None:
    """Note variables that look like ours and are none: a misspelt one would be ignored silently."""
    for name, origin in origins.items():
        if _OURS.match(name) and name not in KNOWN:
            hint = nearest(name.lower().replace("-", "_").replace("port_check", "portcheck"), KNOWN)
            draft.error(origin, f"there is no variable {quoted(name)}", hint)


def addresses(settings: Settings, name: str, origin: Origin) -> tuple[str, ...]:
    """What others dial: `portcheck_address`, else `ansible_host`, else the host's name."""
    setting = settings.get("portcheck_address")
    if setting is not None:
        words = settings.words(setting, "portcheck_address=10.0.0.1,10.0.1.1")
        return tuple(dict.fromkeys(found for word in words if (found := _address(settings, setting, word))))
    setting = settings.get(*HOST_VARIABLES)
    if setting is not None:
        word = settings.text(setting, "ansible_host=10.0.0.1")
        found = _address(settings, setting, word) if word is not None else None
        return (found,) if found else ()
    wrong = _wrong_address(name)
    if wrong:
        settings.draft.error(
            origin,
            f"the host {quoted(name)} has no address, and its name is none: {wrong}",
            "give it ansible_host=ADDRESS",
        )
        return ()
    return (_bare(name),)


def roles(settings: Settings) -> list[str]:
    """`portcheck_roles`: roles beside the groups."""
    setting = settings.get("portcheck_roles")
    return settings.words(setting, "portcheck_roles=web,db") if setting is not None else []


def zone(settings: Settings) -> Zone:
    setting = settings.get("portcheck_zone")
    if setting is None:
        return Zone.INSIDE
    word = settings.text(setting, "portcheck_zone=outside")
    if word is None:
        return Zone.INSIDE
    if word not in set(Zone):
        settings.problem(
            setting, f"is {quoted(word)}: it must be inside or outside", nearest(word, [str(known) for known in Zone])
        )
        return Zone.INSIDE
    return Zone(word)


def way(settings: Settings) -> None:
    """How the host is reached: by the first of these that is set; what counts for it must be usable."""
    agent = settings.get("portcheck_agent")
    if agent is not None:
        _agent(settings, agent)
        return
    prefix = settings.get("portcheck_exec")
    if prefix is not None:
        _command(settings, prefix)
        return
    connection = settings.get("ansible_connection")
    kind = "ssh" if connection is None else settings.text(connection, "ansible_connection=ssh")
    if kind is None or kind.rpartition(".")[2] == "local":
        return
    port = settings.get(*PORT_VARIABLES)
    if port is not None and not (
        _is_port(port.value) or (isinstance(port.value, str) and settings.text(port, "22") is None)
    ):
        settings.problem(port, f"is {quoted(port.value)}, not a port", "ports go from 1 to 65535")
    user = settings.get("ansible_ssh_user", "ansible_user")
    if user is not None and type(user.value) is not int:
        settings.text(user, "ansible_user=ops")
    remote = settings.get(*HOST_VARIABLES)
    if remote is not None:
        settings.text(remote, "ansible_host=10.0.0.1")


def _agent(settings: Settings, setting: Setting) -> None:
    example = "https://10.0.0.1:7743, or none where there is no agent"
    if setting.value == "none":
        return
    if setting.value is None or str(setting.value).strip().lower() == "none":
        hint = "a target without an agent has none, in small letters"
        settings.problem(setting, f"is {quoted(setting.value)}, neither a URL nor none", hint)
        return
    text = settings.text(setting, example)
    if text is None:
        return
    wrong = _wrong_url(text)
    if wrong:
        settings.problem(setting, f"is {quoted(text)}: {wrong}", f"write for example {example}")


def _wrong_url(text: str) -> str:
    """Why no agent can be reached at this URL; empty if one could."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        return f"this is no URL ({error})"
    if url.scheme != "https":
        return "an agent is reached over https only"
    if not url.hostname or _wrong_address(url.hostname):
        return "the host is missing"
    if not port:
        return "the port is missing"
    if url.path not in {"", "/"} or url.query or url.fragment or url.username is not None:
        return "only a host and a port are expected"
    return ""


def _command(settings: Settings, setting: Setting) -> None:
    example = 'portcheck_exec="ip netns exec n1"'
    text = settings.text(setting, example)
    if text is None:
        return
    try:
        shlex.split(text)
    except ValueError:
        message = f"has a quote that is not closed, or a backslash at its end: {quoted(text)}"
        settings.problem(setting, message, f"write for example {example}")


def _address(settings: Settings, setting: Setting, word: str) -> str | None:
    wrong = _wrong_address(word)
    if wrong:
        settings.problem(setting, f"is {quoted(word)}: {wrong}", "an address is 10.0.0.1, 2001:db8::1 or a name")
        return None
    bare = _bare(word)
    try:
        # One spelling for each address: it is compared with what sockets and ICMP errors say.
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _bare(word: str) -> str:
    """Without the brackets that an IPv6 address may stand in."""
    return word[1:-1] if word.startswith("[") and word.endswith("]") else word


def _wrong_address(word: str) -> str:
    """Why nobody can dial this; empty if it looks as if one could."""
    bare = _bare(word)
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        pass
    else:
        return "" if bare == word or ":" in bare else "brackets are for IPv6 addresses"
    if "://" in word:
        return "this is a URL"
    if "/" in word:
        return "this is a network" if word[0].isdigit() or ":" in word else "it has a slash"
    if word.count(":") == 1 and word.partition(":")[2].isdigit():
        return "it has a port; the matrix names the ports, ansible_port the one for ssh"
    if re.fullmatch(r"[0-9.]+", word):
        return "it is a number, and not an IPv4 address"
    if not _NAME.match(word):
        return "it is neither an IP address nor a host name"
    return ""


def _is_placeholder(text: str) -> bool:
    word = text.strip().lower()
    return word in _PLACEHOLDERS or (word.startswith("<") and word.endswith(">"))


def _is_port(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    text = str(value) if isinstance(value, int) else value
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536
