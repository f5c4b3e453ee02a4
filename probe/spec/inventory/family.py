"""Who is whose parent: which groups a host is in, and in which order they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.spec.inventory.draft import ALL, UNGROUPED, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.spec.inventory.draft import Draft, Group
    from probe.spec.inventory.source import Origin

MAX_DEPTH = 100


class Family:
    """Who is whose parent. Every group but `all` has one: those that no file gives one are children of `all`."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        groups = draft.groups
        self.direct: dict[str, list[str]] = {name: [] for name in draft.hosts}
        for name, group in groups.items():
            for host in group.hosts:
                self.direct[host].append(name)
        self.parents: dict[str, list[str]] = {name: [] for name in groups}
        for name, group in groups.items():
            for child in group.children:
                self.parents[child].append(name)
        for name, group in groups.items():
            if name != ALL and not self.parents[name]:
                self._adopt(ALL, name, group.origin)
        self._settle_ungrouped(groups[UNGROUPED])
        self.depth = self._depths()
        self.order = {name: number for number, name in enumerate(groups)}
        self._ancestors: dict[tuple[str, ...], tuple[str, ...]] = {}

    def _adopt(self, parent: str, child: str, origin: Origin) -> None:
        self.parents[child].append(parent)
        self.draft.groups[parent].children.setdefault(child, origin)

    def _settle_ungrouped(self, ungrouped: Group) -> None:
        """`ungrouped` holds the hosts that are in no other group, wherever the files named them."""
        for host, groups in self.direct.items():
            others = [name for name in groups if name not in {ALL, UNGROUPED}]
            if others:
                ungrouped.hosts.pop(host, None)
                self.direct[host] = [name for name in groups if name != UNGROUPED]
            elif UNGROUPED not in groups and host not in self.draft.groups:
                ungrouped.hosts[host] = None
                groups.append(UNGROUPED)
            elif UNGROUPED not in groups and host not in {ALL, UNGROUPED}:
                # Ansible takes a host that is named as a group for the group here.
                self._adopt(UNGROUPED, host, self.draft.hosts[host].origin)

    def _depths(self) -> dict[str, int]:
        """The longest way from `all` to each group. Raises SpecError with every cycle: nothing after this would end."""
        groups = self.draft.groups
        depth = dict.fromkeys(groups, 0)
        for name in reversed(self._children_first()):
            for child in groups[name].children:
                depth[child] = max(depth[child], depth[name] + 1)
        deepest = max(depth, key=lambda name: depth[name])
        if depth[deepest] > MAX_DEPTH:
            raise self.draft.stop(groups[deepest].origin, f"groups nested deeper than {MAX_DEPTH} levels")
        return depth

    def _children_first(self) -> list[str]:
        """All groups, each after its children."""
        groups = self.draft.groups
        # The keys are the groups that are finished; `path` is the way from a start to where the walk is, each group
        # with the children that are still to be seen.
        finished: dict[str, None] = {}
        cycles = 0
        for start in groups:
            path = {start: iter(groups[start].children)} if start not in finished else {}
            while path:
                name, children = next(reversed(path.items()))
                child = next(children, None)
                if child is None:
                    path.popitem()
                    finished[name] = None
                elif child in path:
                    cycles += 1
                    self._report_cycle(list(path), child)
                elif child not in finished:
                    path[child] = iter(groups[child].children)
        if cycles:
            self.draft.check()
        return list(finished)

    def _report_cycle(self, path: list[str], child: str) -> None:
        """`path` ends in the group that has `child` among its children, and holds `child` already."""
        cycle = " → ".join(quoted(name)[1:-1] for name in [*path[path.index(child) :], child])
        message, hint = f"these groups contain each other: {cycle}", "take one of them out of the other's children"
        if child == path[-1]:
            message, hint = f"a group that contains itself: {cycle}", "take this line out"
        self.draft.error(self.draft.groups[path[-1]].children[child], message, hint)

    def groups_of(self, host: str) -> tuple[str, ...]:
        """All groups of a host, parents included: the deepest first, those of one depth in the files' order."""
        direct = tuple(self.direct[host])
        found = self._ancestors.get(direct)
        if found is None:
            seen = dict.fromkeys(direct)
            waiting = list(direct)
            while waiting:
                for parent in self.parents[waiting.pop()]:
                    if parent not in seen:
                        seen[parent] = None
                        waiting.append(parent)
            found = tuple(sorted(seen, key=lambda name: (-self.depth[name], self.order[name])))
            self._ancestors[direct] = found
        return found

    def inhabited(self) -> tuple[str, ...]:
        """The groups with a host in them or below them, in the files' order."""
        found = {group for host in self.draft.hosts for group in self.groups_of(host)}
        return tuple(name for name in self.draft.groups if name in found)

    def ranked(self, groups: Iterable[str]) -> list[str]:
        """Groups in the order in which their variables count: the deeper, the higher priority, the later name wins."""
        entries = self.draft.groups
        return sorted(groups, key=lambda name: (self.depth[name], entries[name].priority, name))

    def members(self, group: str) -> tuple[str, ...]:
        """The group's own hosts, then its children's, level by level."""
        groups, level = {group: None}, [group]
        while level:
            level = [child for name in level for child in self.draft.groups[name].children if child not in groups]
            groups.update(dict.fromkeys(level))
        return tuple(dict.fromkeys(host for name in groups for host in self.draft.groups[name].hosts))
