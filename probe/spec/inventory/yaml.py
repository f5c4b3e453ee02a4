"""The YAML syntax: text to plain values, with the place of each key. What the values mean is `tree`'s business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from probe.spec.inventory import tree, yamlscalars
from probe.spec.inventory.draft import quoted
from probe.spec.inventory.source import advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.source import Origin, Place, Source

MAX_DEPTH = 60
# Aliases make a small file large; no inventory that a person wrote comes near.
MAX_VALUES = 2_000_000
_VAULT = {"!vault", "!vault-encrypted"}


def read(draft: Draft, source: Source) -> None:
    """Raises SpecError for what is no YAML; problems of the inventory's shape are noted in the draft."""
    tree.fill(draft, source, load(draft, source))


def load(draft: Draft, source: Source) -> Any:
    """The value of a file with one document, None for an empty one. Raises SpecError for what is no YAML."""
    document = _Document(draft, source)
    source.locate = document.locate
    try:
        return document.load()
    except MarkedYAMLError as error:
        place, message, hint = _told(error, source)
        raise draft.stop(source.at(*place), message, hint) from None
    except ReaderError as error:
        before = source.text[: error.position].splitlines() or [""]
        raise draft.stop(
            source.at(len(before), len(before[-1]) + 1),
            "a character that YAML does not allow",
            r"write it in double quotes, as \x and two digits",
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise draft.stop(source.at(0, 0), f"this is no YAML: {quoted(str(error), 200)[1:-1]}") from None


def _told(error: MarkedYAMLError, source: Source) -> tuple[Place, str, str]:
    """The parser's complaint: its place, its words, and what is most often behind it."""
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = quoted(" ".join(str(error.problem or error.context or error).split()), 200)[1:-1]
    line = source.line(place[0])
    if "\t" in line[: place[1]]:
        hint = "YAML is indented with spaces, not with tabs"
    elif "{{" in line:
        hint = "a value that starts with {{ stands in quotes"
    else:
        hint = "is the indentation right? Keys of one mapping start in one column, what is under a key further right"
    return place, f"this is no YAML: {problem}", hint


class _Document:
    """Builds plain values from the parser's events, and remembers where each key of each mapping stands."""

    def __init__(self, draft: Draft, source: Source) -> None:
        self.draft = draft
        self.source = source
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.events: Iterator[Any] = iter(())
        # By the mapping's id, with the mapping itself: an id holds only as long as its object lives.
        self.places: dict[int, tuple[dict[Any, Any], dict[Any, Place]]] = {}

    def locate(self, container: Any, key: Any) -> Place:
        """The place of a key in a mapping; (line, column) is a place already."""
        if isinstance(container, int):
            return (container, key)
        return self.places[id(container)][1].get(key, (0, 0))

    def load(self) -> Any:
        parser = YAML(typ="safe", pure=True)
        parser.version = "1.1"
        self.events = iter(parser.parse(self.source.text))
        value, seen = None, False
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if seen:
                    raise self.draft.stop(
                        self.at(event), "a second document", "one file holds one document; take the --- out"
                    )
                value, seen = self.value(next(self.events), 0)[0], True
        return value

    def value(self, event: Any, depth: int) -> tuple[Any, int]:
        """The value that starts with this event, and of how many values it is made, those behind aliases included."""
        if depth > MAX_DEPTH:
            raise self.draft.stop(self.at(event), f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                hint = "an alias (*) comes after its anchor (&), and not inside of it"
                raise self.draft.stop(
                    self.at(event), f"there is no anchor {quoted(event.anchor)} before this alias", hint
                )
            return self.anchors[event.anchor]
        if event.anchor and ":" in event.anchor:
            # To Ansible's parser the name ends before the colon, and the anchor stands at a key.
            raise self.draft.stop(self.at(event), f"a colon in the name of the anchor {quoted(event.anchor)}")
        if isinstance(event, ScalarEvent):
            value, size = self.scalar(event), 1
        elif isinstance(event, SequenceStartEvent):
            value, size = self.sequence(event, depth)
        else:
            value, size = self.mapping(event, depth)
        if size > MAX_VALUES:
            raise self.draft.stop(self.at(event), f"aliases that expand to more than {MAX_VALUES:,} values")
        if event.anchor:
            self.anchors[event.anchor] = (value, size)
        return value, size

    def sequence(self, start: Any, depth: int) -> tuple[Any, int]:
        self.check_tag(start, "seq")
        items, total = [], 1
        while not isinstance(event := next(self.events), SequenceEndEvent):
            item, size = self.value(event, depth + 1)
            items.append(item)
            total += size
        return items, total

    def mapping(self, start: Any, depth: int) -> tuple[Any, int]:
        self.check_tag(start, "map")
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        places: dict[Any, Place] = {}
        inherited: dict[Any, Place] = {}
        total = 1
        while not isinstance(event := next(self.events), MappingEndEvent):
            at = self.at(event)
            key, _ = self.value(event, depth + 1)
            following = next(self.events)
            value, size = self.value(following, depth + 1)
            total += size + 1
            if isinstance(event, ScalarEvent) and event.value == "<<" and event.style is None and event.tag is None:
                for part in self.parts(following, value):
                    merged.update(part)
                    inherited.update(self.places[id(part)][1])
                continue
            if isinstance(key, (dict, list)):
                raise self.draft.stop(
                    at, "a key that is a mapping or a list", "put a text that starts with { or [ in quotes"
                )
            if key in own:
                self.draft.error(
                    at,
                    f"the key {quoted(key)} is here twice: line {places[key][0]} has it already",
                    "keep one; Ansible would take the last",
                )
            own[key] = value
            places[key] = _place(event)
        result = {**merged, **own}
        self.places[id(result)] = (result, {**inherited, **places})
        return result, total

    def parts(self, event: Any, value: Any) -> list[dict[Any, Any]]:
        """The mappings that `<<` merges in, the one that wins last."""
        parts = list(reversed(value)) if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self.draft.stop(self.at(event), "<< merges a mapping or a list of mappings", "write <<: *name")
        return parts

    def scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is not None:
            tag = str(tag)
            if tag in _VAULT:
                hint = advice(self.draft.name, " --ask-vault-pass")
                self.draft.error(self.at(event), "a value that is encrypted with ansible-vault", hint)
                return None
        try:
            if tag is not None:
                return yamlscalars.tagged(tag, event.value)
            return yamlscalars.plain(event.value) if event.style is None else event.value
        except KeyError:
            self.unread_tag(event, tag)
        except (ValueError, OverflowError):
            problem = "looks like a number or a date, and is none"
            if tag is not None:
                problem = f"is not what the tag {_short(tag)} says"
            self.draft.error(self.at(event), f"{quoted(event.value)} {problem}", "if it is text, put it in quotes")
        return None

    def at(self, event: Any) -> Origin:
        return self.source.at(*_place(event))

    def check_tag(self, event: Any, expected: str) -> None:
        tag = None if event.tag is None else str(event.tag)
        if tag not in {None, "!", f"tag:yaml.org,2002:{expected}"}:
            self.unread_tag(event, str(tag))

    def unread_tag(self, event: Any, tag: str | None) -> None:
        self.draft.error(self.at(event), f"the tag {_short(tag)} is not read", advice(self.draft.name))


def _short(tag: str | None) -> str:
    """A tag as a file has it."""
    return quoted(str(tag).replace("tag:yaml.org,2002:", "!!"))[1:-1]


def _place(event: Any) -> Place:
    return (event.start_mark.line + 1, event.start_mark.column + 1)
