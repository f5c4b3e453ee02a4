"""Whether the names in a condition lead somewhere, and whether it can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.words import VariableType
from probe.spec.matrix.problems import quoted

if TYPE_CHECKING:
    from probe.model.conditions import Condition
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.names import Names

_Path = tuple[str | int, ...]


def check_condition(
    document: Document, condition: Condition, names: Names, path: _Path, *, of_service: bool = False
) -> None:
    """Write down, in the document's problems, what is wrong with the condition at this path. That of a service is asked
    before there is a source or an address.
    """
    if document.problems.full:
        return
    if condition.role is not None and condition.role not in names.roles:
        place = document.value(*path, "role").place
        document.problems.add(place, f"unknown role {quoted(condition.role)}", names.role_hint(condition.role))
    if condition.variable is not None:
        _variable(document, condition, names, path)
    if of_service and (condition.source is not None or condition.family is not None):
        key = "source" if condition.source is not None else "family"
        message = f"the condition of a service cannot ask for {key!r}"
        document.problems.add(document.key(*path, key), message, "put it into the when of the flow")
    for key, part in (("source", condition.source), ("target", condition.target), ("not", condition.negated)):
        if part is not None:
            check_condition(document, part, names, (*path, key), of_service=of_service)
    for key, parts in (("all", condition.all_of), ("any", condition.any_of)):
        for number, part in enumerate(parts or ()):
            check_condition(document, part, names, (*path, key, number), of_service=of_service)


def _variable(document: Document, condition: Condition, names: Names, path: _Path) -> None:
    name = condition.variable or ""
    variable = names.variables.get(name)
    place = document.value(*path, "variable").place
    if variable is None:
        hint = f"{name!r} is a role: write {{role: {name}}}" if name in names.roles else names.variable_hint(name)
        document.problems.add(place, f"unknown variable {quoted(name)}", hint)
    elif condition.values is None and variable.type is not VariableType.BOOLEAN:
        message = f"the variable {name!r} is of type {variable.type}, which is not true or false"
        asked = f"write {{variable: {name}, is: {variable.choices[0] if variable.choices else 'value'}}}"
        document.problems.add(place, message, asked if variable.choices else f"give it type: boolean, or {asked}")
    else:
        words = ("true", "false") if variable.type is VariableType.BOOLEAN else variable.choices
        for value in condition.values or ():
            if words and value not in words:
                where = document.word((*path, "is"), value)
                document.problems.add(where, f"{name!r} is never {quoted(value)}", f"there is: {', '.join(words)}")
