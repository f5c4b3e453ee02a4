"""The matrix language as JSON Schema, for editors: they complete keys and mark most mistakes while one types.

It says what the grammar says. Whether names lead somewhere, and whether ranges run forwards, only
`portcheck matrix lint` knows.
"""

from __future__ import annotations

from typing import Any

from probe.spec.matrix.dialogue import dialogue_schema
from probe.spec.matrix.grammar import MATRIX, VERSION
from probe.spec.matrix.when import condition_schema


def schema() -> dict[str, Any]:
    """A schema of JSON Schema draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"portcheck matrix, version {VERSION}",
        **MATRIX.schema(),
        "$defs": {"condition": condition_schema(), "dialogue": dialogue_schema()},
    }
