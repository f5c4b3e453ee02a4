"""JSON: what `ansible-inventory --list` and inventory scripts print, or a YAML inventory's shape written as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.spec.inventory import tree
from probe.spec.inventory.draft import Draft, quoted
from probe.spec.inventory.jsontext import Document
from probe.spec.inventory.source import NOWHERE

if TYPE_CHECKING:
    from probe.spec.inventory.source import Origin, Source

_META = "_meta"


def read(source: Source) -> Draft:
    """Raises SpecError for what is no JSON; problems of the inventory's shape are noted in the draft."""
    draft = Draft(source)
    document = Document(draft)
    source.locate = document.locate
    value = document.load()
    if not isinstance(value, dict):
        raise draft.stop(NOWHERE, "this is no inventory: a JSON object of groups is expected")
    if _is_listing(value):
        _fill(draft, value)
    else:
        tree.fill(draft, value)
    return draft


def _is_listing(value: dict[str, Any]) -> bool:
    """Whether groups list their members by name, rather than hold them as a YAML inventory does."""
    if _META in value:
        return True
    groups = value.values()
    return any(
        isinstance(group, list)
        or (isinstance(group, dict) and any(isinstance(group.get(key), list) for key in ("hosts", "children")))
        for group in groups
    )


def _fill(draft: Draft, value: dict[str, Any]) -> None:
    listed: dict[str, None] = {}
    for name, group in value.items():
        if name != _META and tree.is_name(draft, "group", name, (value, name)):
            _group(draft, name, group, (value, name), listed)
    if _META not in value:
        draft.warn(
            NOWHERE,
            "there is no `_meta.hostvars`: hosts have no variables of their own",
            "print the inventory with ansible-inventory --list, which puts them in",
        )
        return
    meta = value[_META]
    hostvars = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(hostvars, dict):
        draft.error((value, _META), "`_meta` holds no mapping `hostvars`", 'write "_meta": {"hostvars": {HOST: {…}}}')
        return
    for host, variables in hostvars.items():
        if not isinstance(variables, dict):
            draft.error((hostvars, host), f"the variables of {quoted(host)} are not a mapping")
        elif host in listed:
            for name, item in variables.items():
                draft.set_host_variable(host, name, item, (variables, name))
        else:
            draft.warn((hostvars, host), f"{quoted(host)} has variables, but no group lists it: it is no host")


def _group(draft: Draft, name: str, content: Any, origin: Origin, listed: dict[str, None]) -> None:
    draft.add_group(name, origin)
    if isinstance(content, list):
        content = {"hosts": content}
    if not isinstance(content, dict):
        draft.error(origin, f"the group {quoted(name)} is neither a mapping nor a list of hosts")
        return
    if not content.keys() & set(tree.SECTIONS):
        draft.warn(
            origin,
            f"the group {quoted(name)} has no hosts, children or vars: it becomes a host of this name, as in Ansible",
            'if it is a group, write {"hosts": […], "vars": {…}}',
        )
        content = {"hosts": [name], "vars": content}
    for host, place in _names(draft, content, "hosts", name):
        listed[host] = None
        draft.add_host(host, name, None, place)
    for child, place in _names(draft, content, "children", name):
        draft.add_group(child, place)
        draft.add_child(name, child, place)
    variables = content.get("vars", {})
    if not isinstance(variables, dict):
        draft.error((content, "vars"), f"`vars` of the group {quoted(name)} is not a mapping")
        return
    for variable, item in variables.items():
        draft.set_group_variable(name, variable, item, (variables, variable))


def _names(draft: Draft, content: dict[str, Any], key: str, group: str) -> list[tuple[str, Origin]]:
    """The members of a group, each with its place."""
    members = content.get(key, [])
    if not isinstance(members, list):
        draft.error((content, key), f"`{key}` of the group {quoted(group)} is not a list of names")
        return []
    what = {"hosts": "host", "children": "group"}[key]
    places = [(members, index) for index in range(len(members))]
    return [
        (name, place) for name, place in zip(members, places, strict=True) if tree.is_name(draft, what, name, place)
    ]
