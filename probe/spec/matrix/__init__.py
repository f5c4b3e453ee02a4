"""YAML to `probe.model.matrix`. A file's life: text, tree, rows by the grammar, model, names linked, merged.

`load` is what a run needs; `lint` finds the same errors, and warnings besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from probe.errors import UserError
from probe.spec.diagnostics import Diagnostic, SpecError
from probe.spec.matrix import document, files, sense
from probe.spec.matrix.files import builtin
from probe.spec.matrix.link import link
from probe.spec.matrix.merge import merge
from probe.spec.matrix.overrides import override
from probe.spec.matrix.problems import WHOLE_FILE, Problems
from probe.spec.matrix.warnings import remarked, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from probe.model.matrix import Matrix, Remark
    from probe.spec.matrix.document import Document

__all__ = ["builtin", "lint", "load", "load_text"]


class _Read(NamedTuple):
    """`matrix` is None where a file could not be made sense of at all."""

    matrix: Matrix | None
    documents: list[Document]
    problems: list[Problems]

    @property
    def found(self) -> list[Diagnostic]:
        return sorted(diagnostic for problems in self.problems for diagnostic in problems.found)


def load(names: Sequence[str]) -> Matrix:
    """The matrix of these built-in names and files, merged.

    Raises SpecError with every problem of all of them, or UserError where a file cannot be read.
    """
    return _usable(_read(_texts(names)))


def load_text(text: str, file: str = "matrix") -> Matrix:
    """The matrix in a text; `file` is what messages call it."""
    return _usable(_read([(file, text)]))


def lint(names: Sequence[str], remarks: Callable[[Matrix], Iterable[Remark]] | None = None) -> tuple[Diagnostic, ...]:
    """Every error, or if there is none every warning, of these matrices taken together. `remarks` may add warnings of
    its own to the services and flows of a matrix without errors.
    """
    read = _read(_texts(names))
    if read.matrix is not None and not read.found:
        warn(read.documents, read.matrix)
        for remark in remarks(read.matrix) if remarks is not None else ():
            remarked(read.documents, remark)
    return tuple(read.found)


def _usable(read: _Read) -> Matrix:
    if read.matrix is None or read.found:
        raise SpecError(read.found)
    return read.matrix


def _texts(names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and text of each file, each once, with all that cannot be read in one message."""
    texts: dict[str, str] = {}
    failures: list[str] = []
    for name in names:
        try:
            path = files.locate(name)
            if path not in texts:
                texts[path] = files.text_of(path)
        except UserError as error:
            failures.append(str(error))
    if not texts and not failures:
        failures.append(f"no matrix is named; the built-in ones are: {', '.join(builtin())}")
    if failures:
        raise UserError("\n".join(failures))
    return [(files.label(path), text) for path, text in texts.items()]


def _read(texts: Sequence[tuple[str, str]]) -> _Read:
    read = [document.read(file, text) for file, text in texts]
    documents = [found for found, _ in read if found is not None]
    problems = [written for _, written in read]
    # Names are sought in all files: with one missing, each of its names would be called unknown.
    if len(documents) < len(texts):
        return _Read(None, documents, problems)
    link(documents)
    matrix = override(merge(documents), documents)
    for number, found in enumerate(documents):
        for place, message, hint in sense.contradictions(found, matrix):
            problems[number].add(place, message, hint)
    if not matrix.flows and not any(written.found for written in problems):
        documents[-1].problems.add(
            WHOLE_FILE, "there are no flows: nothing would have to be reachable", "add them under flows"
        )
    return _Read(matrix, documents, problems)
