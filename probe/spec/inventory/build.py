"""A draft to the model: groups in their order of inheritance, variables merged, roles and addresses worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.model.inventory import Host, Inventory
from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.spec.inventory import variables
from probe.spec.inventory.draft import ALL, NO_HOSTS, UNGROUPED, quoted
from probe.spec.inventory.family import Family
from probe.spec.inventory.source import NOWHERE

if TYPE_CHECKING:
    from probe.spec.inventory.draft import Draft

# Words of the matrix and of Ansible; a host of this name could be meant by none of them, or by both.
RESERVED = (ALL, UNGROUPED, EVERY_HOST, OUTSIDE)
# Names that Ansible keeps for itself: it overwrites what an inventory says.
_MAGIC = frozenset({
    "ansible_async_path", "ansible_collection_name", "ansible_config_file", "ansible_dependent_role_names",
    "ansible_diff_mode", "ansible_facts", "ansible_forks", "ansible_inventory_sources", "ansible_limit",
    "ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_role_names",
    "ansible_playbook_python", "ansible_role_name", "ansible_role_names", "ansible_run_tags",
    "ansible_skip_tags", "ansible_verbosity", "ansible_version", "inventory_dir", "inventory_file",
    "inventory_hostname", "inventory_hostname_short", "groups", "group_names", "hostvars", "playbook_dir",
    "play_hosts", "role_name", "role_names", "role_path", "role_uuid",
})  # fmt: skip


def build(draft: Draft) -> Inventory:
    """Raises SpecError with everything that was found, in the file's syntax and in what it says."""
    variables.unknown(draft)
    if not draft.hosts and not draft.failed:
        draft.error(NOWHERE, *NO_HOSTS)
    for name, host in draft.hosts.items():
        if name in RESERVED:
            draft.error(host.origin, f"a host cannot be named {quoted(name)}", f"reserved are {', '.join(RESERVED)}")
    for entry in (*draft.groups.values(), *draft.hosts.values()):
        if not entry.name.isprintable():
            draft.error(entry.origin, f"the name {quoted(entry.name)} has a character that cannot be shown")
    family = Family(draft)
    hosts = {name: _host(family, name) for name in draft.hosts}
    draft.check()
    return Inventory(
        source=draft.source.name,
        hosts=hosts,
        groups={name: family.members(name) for name in draft.groups},
        vars=_visible(draft.groups[ALL].vars),
    )


def _host(family: Family, name: str) -> Host:
    draft = family.draft
    entry = draft.hosts[name]
    groups = family.groups_of(name)
    inherited, origins = family.inherited(groups)
    values = _visible({**inherited, **entry.vars})
    settings = variables.Settings(draft, values, {**origins, **entry.origins})
    variables.way(settings)
    own = [group for group in groups if group not in {ALL, UNGROUPED}]
    return Host(
        name=name,
        addresses=variables.addresses(settings, name, entry.origin),
        roles=tuple(dict.fromkeys([*own, *variables.roles(settings)])),
        zone=variables.zone(settings),
        vars=values,
    )


def _visible(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _MAGIC}
