"""The samples of what is no report of a run: a comparison, an alert, a sweep, an explanation."""

from __future__ import annotations

import os

from probe.resources import folder

SAMPLES = folder("reports") / "samples"


def agreed(name: str, content: bytes) -> bool:
    """Whether the sample of that name is this; PORTCHECK_UPDATE=1 rewrites it: read the difference."""
    path = SAMPLES / name
    if os.environ.get("PORTCHECK_UPDATE"):
        path.write_bytes(content)
    return path.read_bytes() == content
