"""A protocol with a name as a piece of a matrix that says the same without it: to read, to copy, to change."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from probe.model.protocols import WEB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from probe.protocols.named import Named

_WIDTH = 120
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def piece(name: str, known: Named) -> str:
    """A mapping of services; the role is the reader's to fill in."""
    lines = [line for label, text in _told(known) for line in _comment(f"{label}{text}")]
    lines.append("services:")
    if known.web:
        keys = {"role": "ROLE", "port": known.port, "protocol": WEB[name].value, **known.web}
        lines += [f"  {name}:", *(f"    {key}: {_flow(value)}" for key, value in keys.items())]
    for transport, steps in (("tcp", known.tcp), ("udp", known.udp)):
        if steps:
            lines += [f"  {name}-{transport}:" if known.tcp and known.udp else f"  {name}:"]
            lines += ["    role: ROLE", f"    port: {known.port}", f"    protocol: {transport}", "    dialogue:"]
            lines += [line for step in steps for line in _step(step)]
    return "".join(f"{line}\n" for line in lines)


def _told(known: Named) -> Iterator[tuple[str, str]]:
    yield "sends: ", known.sends
    yield "healthy: ", known.healthy
    yield "proves: ", known.proves
    yield "the server logs: ", known.logs
    yield "verified with: ", known.verified or "peers written from its documents, and no real server"


def _comment(text: str) -> Iterator[str]:
    for number, line in enumerate(textwrap.wrap(text, _WIDTH - 4, break_long_words=False, break_on_hyphens=False)):
        yield f"# {'  ' if number else ''}{line}"


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    """On one line where that fits, else a line for each key, and for each of several answers."""
    line = f"      - {_flow(step)}"
    if len(line) <= _WIDTH:
        yield line
        return
    lead = "      - "
    for key, value in step.items():
        if isinstance(value, list):
            yield f"{lead}{key}:"
            yield from (f"          - {_flow(item)}" for item in value)
        else:
            yield f"{lead}{key}: {_flow(value)}"
        lead = "        "


def _flow(value: Any) -> str:
    """A value on one line. Text in single quotes is as it stands."""
    match value:
        case dict():
            return f"{{{', '.join(f'{key}: {_flow(inner)}' for key, inner in value.items())}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case bool():
            return str(value).lower()
        case str() if not (_PLAIN.match(value) and value.lower() not in _WORDS):
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)
