"""The shape of a YAML inventory: groups, each with `hosts`, `children` and `vars`. JSON may have the same shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.spec.diagnostics import nearest
from probe.spec.inventory.draft import NO_HOSTS, quoted
from probe.spec.inventory.hostpattern import PatternError, expand
from probe.spec.inventory.source import advice

if TYPE_CHECKING:
    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin, Source

SECTIONS = ("hosts", "children", "vars")


def fill(draft: Draft, source: Source, value: Any) -> None:
    """Groups at the top. Raises SpecError where the whole is no inventory."""
    if value is None or value == {}:
        raise draft.stop(source.at(0, 0), *NO_HOSTS)
    if not isinstance(value, dict):
        raise draft.stop(
            source.at(0, 0),
            "this is no inventory: groups are expected at the top",
            "start with `all:` and `hosts:` under it",
        )
    if value.get("plugin"):
        raise draft.stop(
            source.at(value, "plugin"),
            f"this configures the inventory plugin {quoted(str(value['plugin']))}; it is no inventory itself",
            advice(draft.name),
        )
    for name, group in value.items():
        _group(draft, name, group, source.at(value, name))


def _group(draft: Draft, name: Any, content: Any, origin: Origin) -> bool:
    """Read one group and what is under it; False if it is none."""
    if not is_name(draft, "group", name, origin):
        return False
    draft.add_group(name, origin)
    if content is None:
        return True
    if not isinstance(content, dict):
        draft.error(
            origin,
            f"the group {quoted(name)} is not a mapping",
            "a group has `hosts:`, `children:` and `vars:` under it",
        )
        return False
    for key, value in content.items():
        if key in SECTIONS:
            _section(draft, name, key, value, origin.beside(content, key))
        else:
            draft.error(origin.beside(content, key), f"{quoted(key)} is not part of a group", _meant(key, value))
    return True


def _section(draft: Draft, group: str, key: str, value: Any, origin: Origin) -> None:
    # A single name may stand without its colon.
    members = {value: None} if isinstance(value, str) else {} if value is None else value
    if not isinstance(members, dict):
        hint = "end each name under it with a colon, and take the dash before it away"
        draft.error(origin, f"`{key}` of the group {quoted(group)} is not a mapping", hint)
        return
    for member, inner in members.items():
        where = origin.beside(members, member) if members is value else origin
        if key == "hosts":
            _hosts(draft, group, member, inner, where)
        elif key == "children":
            if _group(draft, member, inner, where):
                draft.add_child(group, member, where)
        elif is_name(draft, "variable", member, where):
            draft.set_group_variable(group, member, inner, where)


def _hosts(draft: Draft, group: str, pattern: Any, content: Any, origin: Origin) -> None:
    if not is_name(draft, "host", pattern, origin):
        return
    try:
        names, port = expand(pattern)
    except PatternError as error:
        draft.error(origin, f"{quoted(pattern)}: {error}", error.hint)
        return
    variables = content or {}
    if not isinstance(variables, dict):
        draft.error(
            origin,
            f"the host {quoted(pattern)} has something that is no mapping of variables",
            "write `name: value` under it",
        )
        variables = {}
    known = [(name, value, origin.beside(variables, name)) for name, value in variables.items()]
    known = [(name, value, where) for name, value, where in known if is_name(draft, "variable", name, where)]
    for host in names:
        draft.add_host(host, group, port, origin)
        for name, value, where in known:
            draft.set_host_variable(host, name, value, where)


def is_name(draft: Draft, what: str, name: Any, origin: Origin) -> bool:
    """Whether a key can name a host, a group or a variable; notes the problem if not."""
    if isinstance(name, str) and name:
        return True
    shown = "an empty text" if name == "" else f"{quoted(name)}, which is not text"
    hint = f'put it in quotes: "{name}"' if isinstance(name, int | float) else ""
    if isinstance(name, bool):
        hint = "YAML reads yes, no, on and off as true and false: put the name in quotes"
    draft.error(origin, f"the name of a {what} is {shown}", hint)
    return False


def _meant(key: Any, value: Any) -> str:
    close = nearest(str(key), SECTIONS)
    if close.startswith("did you mean"):
        return close
    what = "if it is a variable, it stands under `vars:`"
    if value is None or isinstance(value, dict):
        what = "is the indentation right? Hosts stand under `hosts:`, groups under `children:`"
    return f"{what}; Ansible would skip it"
