"""What the service and the process that makes one run say to each other: one order in, lines of JSON back, and behind
the last of them the report.
"""

from __future__ import annotations

import msgspec

LONGEST_LINE = 64 * 1024
"""Bytes of a line either way."""
LONGEST_WORDS = 4000
"""Characters of a text in it."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a report as it is sent and spooled: JSON, deflated (zlib)."""
LARGEST_JSON = 1024 * 1024 * 1024
"""Bytes of the same, inflated."""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run to make: the arguments of `portcheck run`. `kept` is where the inputs of the last run that could be
    planned are kept, empty for nowhere: where the files are broken now, the run is made with those. `outputs` are files
    and the formats in which the report is written there, too.
    """

    audit: str
    inventory: str
    matrix: tuple[str, ...] = ()
    phase: str = "auto"
    exposure: str = "listening"
    only: str = ""
    values: dict[str, str] = {}
    profile: str = ""
    strict: bool = False
    waivers: str = ""
    rate: float = 0.0
    identity: str = ""
    seed: int = 0
    kept: str = ""
    outputs: tuple[tuple[str, str], ...] = ()


class Warned(msgspec.Struct, frozen=True, tag="warned"):
    """A word about the files that costs nothing."""

    words: str


class Broken(msgspec.Struct, frozen=True, tag="broken"):
    """The files cannot be used, and why; the run goes on with those of the last one."""

    words: str


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A run has begun; `started` is RFC 3339."""

    id: str
    started: str


class Going(msgspec.Struct, frozen=True, tag="going"):
    """As `probe.audit.values.Progress`."""

    done: int
    total: int
    failing: int
    words: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The run cannot be made; the last word. `internal`: a defect of portcheck."""

    words: str
    internal: bool = False


class Made(msgspec.Struct, frozen=True, tag="made"):
    """The report follows in so many bytes; the last word. `answer` is what its exit code is called."""

    size: int
    answer: str


Word = Warned | Broken | Began | Going | Failed | Made
encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Word)
