"""A draft to the model: groups in their order of inheritance, variables merged, roles and addresses worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from probe.model.inventory import Host, Inventory
from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.spec.inventory import variables
from probe.spec.inventory.draft import ALL, NO_HOSTS, UNGROUPED, quoted
from probe.spec.inventory.layers import Layer, Merged
from probe.spec.inventory.source import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.family import Family
    from probe.spec.inventory.neighbours import Neighbours

_T = TypeVar("_T")

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


def check(draft: Draft) -> None:
    """Note what is wrong with the names of hosts, groups and variables, and with an inventory that has no hosts."""
    for entry in (*draft.groups.values(), *draft.hosts.values()):
        variables.unknown(draft, entry.origins)
    if not draft.hosts and not draft.failed:
        draft.error(NOWHERE, *NO_HOSTS)
    for name, host in draft.hosts.items():
        if name in RESERVED:
            draft.error(host.origin, f"a host cannot be named {quoted(name)}", f"reserved are {', '.join(RESERVED)}")
    for entry in (*draft.groups.values(), *draft.hosts.values()):
        if not entry.name.isprintable():
            draft.error(entry.origin, f"the name {quoted(entry.name)} has a character that cannot be shown")


def build(family: Family, neighbours: Sequence[Neighbours] = ()) -> Inventory:
    """`neighbours`: the files of variables beside the inventory; the last of them wins.

    Raises SpecError with everything that was found, in the files' syntax and in what they say.
    """
    draft = family.draft
    heritage = _Heritage(family, neighbours)
    hosts = {name: _host(heritage, name) for name in draft.hosts}
    draft.check()
    return Inventory(
        source=draft.name,
        hosts=hosts,
        groups={name: family.members(name) for name in draft.groups},
        children={name: tuple(group.children) for name, group in draft.groups.items()},
        vars=_visible(heritage.of_groups((ALL,)).vars),
    )


class _Heritage:
    """Who wins, from the weakest: the groups' variables in the inventory, then those in files for `all`, in files for
    the other groups, the host's own, and those in files for the host. Nearer files lose to later ones of the same kind.
    """

    def __init__(self, family: Family, neighbours: Sequence[Neighbours]) -> None:
        self.family = family
        self.neighbours = neighbours
        self._merged: dict[tuple[str, ...], Merged] = {}

    def of_groups(self, groups: tuple[str, ...]) -> Merged:
        found = self._merged.get(groups)
        if found is None:
            entries = self.family.draft.groups
            ranked = self.family.ranked(groups)
            layers = [Layer(f"group {name}", entries[name].vars, entries[name].origins) for name in ranked]
            for names in ([ALL], [name for name in ranked if name != ALL]):
                layers += [
                    layer for beside in self.neighbours for name in names for layer in beside.groups.get(name, ())
                ]
            found = self._merged[groups] = Merged({}, {}, {}).under(layers)
        return found

    def of_host(self, name: str, groups: tuple[str, ...]) -> Merged:
        entry = self.family.draft.hosts[name]
        layers = [Layer("host", entry.vars, entry.origins)]
        layers += [layer for beside in self.neighbours for layer in beside.hosts.get(name, ())]
        return self.of_groups(groups).under(layers)


def _host(heritage: _Heritage, name: str) -> Host:
    draft = heritage.family.draft
    groups = heritage.family.groups_of(name)
    merged = heritage.of_host(name, groups)
    values = _visible(merged.vars)
    settings = variables.Settings(draft, values, merged.origins)
    variables.way(settings)
    own = [group for group in groups if group not in {ALL, UNGROUPED}]
    return Host(
        name=name,
        addresses=variables.addresses(settings, name, draft.hosts[name].origin),
        roles=tuple(dict.fromkeys([*own, *variables.roles(settings)])),
        zone=variables.zone(settings),
        vars=values,
        origins=_visible(merged.said),
    )


def _visible(values: dict[str, _T]) -> dict[str, _T]:
    return {name: value for name, value in values.items() if name not in _MAGIC}
