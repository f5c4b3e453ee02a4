"""A document's port tables to a draft of a matrix. A draft's life: text, tables, rows by their columns, entries, YAML.

A guess is never silent: each stands in the draft with a question above it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from probe.spec.importing import document
from probe.spec.importing.drafting import Drafting
from probe.spec.importing.entries import Flow, Profile, Service
from probe.spec.importing.roles import slug
from probe.spec.importing.writing import Writing
from probe.text import printable

if TYPE_CHECKING:
    from probe.spec.importing.tables import Document

__all__ = ["Draft", "import_text"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is a matrix that loads; each of `questions` is a comment in it that begins with `# ?`.

    `tables` counts the tables of the document, the others what was drafted.
    """

    text: str
    questions: tuple[str, ...]
    tables: int
    roles: int
    services: int
    flows: int
    profiles: int


def import_text(text: str, file: str, name: str = "") -> Draft:
    """The draft of a matrix from a document in Markdown, HTML or CSV.

    `file` is what messages call it; its ending tells CSV. Without `name` the matrix is called like the file. Raises
    SpecError, or UserError, where there is nothing to draft, or more than a matrix may hold.
    """
    name = name or slug(PurePath(file).stem) or "draft"
    found = document.read(text, file)
    shown = printable(file)
    drafting = Drafting(shown, name)
    drafting.take(found.tables)
    services = [each for each in drafting.services.found if isinstance(each, Service)]
    if not services:
        _explain(file, found, drafting)
    writing = Writing(shown, found, drafting)
    return Draft(
        text=writing.text(name),
        questions=tuple(writing.questions),
        tables=len(found.tables),
        roles=len(drafting.roles.found),
        services=len(services),
        flows=sum(isinstance(each, Flow) for each in drafting.flows),
        profiles=sum(isinstance(each, Profile) for each in drafting.profiles),
    )


def _explain(file: str, found: Document, drafting: Drafting) -> None:
    """Raise the error for a document whose tables name no port."""
    notes = [*drafting.services.found, *drafting.flows]
    if notes:
        first = next(each.questions[0] for each in notes if not isinstance(each, (Service, Flow)))
        document.refuse(file, f"no row of its tables can be drafted; the first: {first}")
    heads = "; ".join(", ".join(filter(None, table.columns)) for table in found.tables[:5])
    document.refuse(
        file,
        f"no table in this document has a column of ports; there is: {heads[:300]}",
        "call the columns Source, Target, Port, Protocol, Description, or write the matrix by hand: docs/matrix.md",
    )
