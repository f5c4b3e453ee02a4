"""JSON: what `ansible-inventory --list` and inventory scripts print, or a YAML inventory's shape written as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.spec.inventory import jsontext, tree
from probe.spec.inventory.draft import quoted

if TYPE_CHECKING:
    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin, Source

META = "_meta"
# How Ansible says what the values in a listing are; there is no other.
_PROFILE = "inventory_legacy"


def read(draft: Draft, source: Source) -> bool:
    """Whether the file holds all variables already, as `ansible-inventory --list` prints them.

    Raises SpecError for what is no JSON; problems of the inventory's shape are noted in the draft.
    """
    value = jsontext.load(draft, source)
    if not isinstance(value, dict):
        raise draft.stop(source.at(0, 0), "this is no inventory: a JSON object of groups is expected")
    if not _is_listing(value):
        if source.foreign:
            hint = "give an inventory of this shape a name that ends in .json"
            raise draft.stop(source.at(source.foreign, 1), "this is JSON, and the name of the file says INI", hint)
        tree.fill(draft, source, value)
        return False
    fill(draft, source, value)
    if META not in value:
        draft.warn(
            source.at(0, 0),
            "there is no `_meta.hostvars`: hosts have no variables of their own",
            "print the inventory with ansible-inventory --list, which puts them in",
        )
    return META in value


def _is_listing(value: dict[str, Any]) -> bool:
    """Whether groups list their members by name, rather than hold them as a YAML inventory does."""
    if META in value:
        return True
    groups = value.values()
    return any(
        isinstance(group, list)
        or (isinstance(group, dict) and any(isinstance(group.get(key), list) for key in ("hosts", "children")))
        for group in groups
    )


def fill(draft: Draft, source: Source, value: dict[str, Any]) -> list[str]:
    """Groups, and the variables of `_meta` if it is there. Returns the hosts that the groups list."""
    listed: dict[str, None] = {}
    for name, group in value.items():
        if name != META and tree.is_name(draft, "group", name, source.at(value, name)):
            _group(draft, name, group, source.at(value, name), listed)
    if META in value:
        _meta(draft, value[META], source.at(value, META), listed)
    return list(listed)


def _meta(draft: Draft, meta: Any, origin: Origin, listed: dict[str, None]) -> None:
    hostvars = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(hostvars, dict):
        draft.error(origin, "`_meta` holds no mapping `hostvars`", 'write "_meta": {"hostvars": {HOST: {…}}}')
        return
    if meta.get("profile", _PROFILE) != _PROFILE:
        draft.error(
            origin.beside(meta, "profile"), f"the profile {quoted(meta['profile'])} is unknown", f"{_PROFILE} is read"
        )
    for host, variables in hostvars.items():
        if host in listed:
            host_variables(draft, host, variables, origin.beside(hostvars, host))
        else:
            message = f"{quoted(host)} has variables, but no group lists it: it is no host"
            draft.warn(origin.beside(hostvars, host), message)


def host_variables(draft: Draft, host: str, variables: Any, origin: Origin) -> None:
    """The variables of one host, from `_meta` or as a script prints them for `--host`."""
    if not isinstance(variables, dict):
        draft.error(origin, f"the variables of {quoted(host)} are not a mapping")
        return
    for name, value in variables.items():
        draft.set_host_variable(host, name, value, origin.beside(variables, name))


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
    for host, place in _names(draft, content, "hosts", name, origin):
        listed[host] = None
        draft.add_host(host, name, None, place)
    for child, place in _names(draft, content, "children", name, origin):
        draft.add_group(child, place)
        draft.add_child(name, child, place)
    variables = content.get("vars", {})
    if not isinstance(variables, dict):
        draft.error(origin.beside(content, "vars"), f"`vars` of the group {quoted(name)} is not a mapping")
        return
    for variable, item in variables.items():
        draft.set_group_variable(name, variable, item, origin.beside(variables, variable))


def _names(draft: Draft, content: dict[str, Any], key: str, group: str, origin: Origin) -> list[tuple[str, Origin]]:
    """The members of a group, each with its place."""
    members = content.get(key, [])
    if isinstance(members, dict) and key == "children":
        # Ansible takes the keys, and only here: an empty list is easily printed as {}.
        places = [origin.beside(members, name) for name in members]
    elif isinstance(members, list):
        places = [origin.beside(members, index) for index in range(len(members))]
    else:
        draft.error(origin.beside(content, key), f"`{key}` of the group {quoted(group)} is not a list of names")
        return []
    what = {"hosts": "host", "children": "group"}[key]
    return [
        (name, place) for name, place in zip(members, places, strict=True) if tree.is_name(draft, what, name, place)
    ]
