"""Where the keys of a TOML file stand: told as the writer of a file knows it, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import UserError
from probe.spec import toml
from probe.spec.toml import Document, Stand

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.lists(
    st.sampled_from(["a", "b-c", "1", "", "x y", 'q"', "it's", "é", "a.b", "#", "]", "[t]", "=", "\\", "k\n"]),
    unique=True,
    max_size=4,
)
TEXTS = st.text(st.sampled_from(list("ab]}[{,#='\"\\ .\n")), max_size=12)
BARE = st.sampled_from(["1", "-1.5e3", "true", "inf", "0x1f", "1979-05-27 07:32:00", "07:32:00"])
BLANKS, LINES = st.sampled_from(["", " ", "\t "]), st.sampled_from(["", "\n", " # ] } , \" '\n  "])


class Writer:
    """Writes what it draws, and notes where."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.text = draw, ""
        self.stands: dict[toml.Keys, Stand] = {}

    def write(self, what: Any) -> None:
        self.text += what if isinstance(what, str) else self.draw(what)

    def key(self, name: str) -> int:
        """Where it stands."""
        self.write(BLANKS)
        start = len(self.text)
        ways = [json.dumps(name, ensure_ascii=False)]
        ways += [f"'{name}'"] if "'" not in name and name.isprintable() else []
        ways += [name] if name in ("a", "b-c", "1") else []
        self.write(st.sampled_from(ways))
        self.write(BLANKS)
        return start

    def names(self, keys: toml.Keys, names: list[str]) -> toml.Keys:
        """`a.b.c`; what is on the way to the last is noted where it comes first."""
        for number, name in enumerate(names):
            self.write("." if number else "")
            start = self.key(name)
            keys = (*keys, name)
            self.stands.setdefault(keys, Stand(start, start))
            self.last = start
        return keys

    def pair(self, keys: toml.Keys, names: list[str], depth: int) -> None:
        keys = self.names(keys, names)
        start = self.last
        self.write("=")
        self.write(BLANKS)
        self.stands[keys] = Stand(start, len(self.text))
        self.value(keys, depth)

    def pairs(self, keys: toml.Keys) -> None:
        for name in self.draw(NAMES):
            self.pair(keys, [name, *self.draw(NAMES)][:3], 0)
            self.write(BLANKS)
            self.write(st.sampled_from(["\n", "\n\n", "# [not.a.table]\n"]))

    def value(self, keys: toml.Keys, depth: int) -> None:
        kind = self.draw(st.sampled_from(["bare", "text", "text", "list", "table"][: 3 if depth > 1 else 5]))
        if kind == "bare":
            self.write(BARE)
        elif kind == "text":
            self.string(self.draw(TEXTS))
        elif kind == "list":
            self.write("[")
            for number in range(self.draw(st.integers(0, 3))):
                self.write("," if number else "")
                self.write(LINES)
                self.stands[*keys, number] = Stand(len(self.text), len(self.text))
                self.value((*keys, number), depth + 1)
                self.write(LINES)
            self.write("]")
        else:
            self.write("{")
            for number, name in enumerate(self.draw(NAMES)):
                self.write("," if number else "")
                self.pair(keys, [name], depth + 1)
                self.write(BLANKS)
            self.write("}")

    def string(self, text: str) -> None:
        ways = [json.dumps(text)]
        ways += ['"""' + text.replace("\\", "\\\\").replace('"""', '""\\"') + '"""'] if text[-1:] != '"' else []
        ways += [f'"""{text}"""'] if text.endswith('""') and not set(text[:-2]) & {'"', "\\"} else []
        ways += [f"'''{text}'''"] if "'''" not in text and text[-1:] != "'" else []
        ways += [f"'{text}'"] if "'" not in text and "\n" not in text else []
        self.write(st.sampled_from(ways))

    def header(self, keys: toml.Keys, name: str, *, several: bool = False) -> toml.Keys:
        """`[a.b]` or `[[a.b]]`; `keys` may have numbers of what stands in arrays."""
        self.write("[[" if several else "[")
        for one in keys:
            if isinstance(one, str):
                self.key(one)
                self.write(".")
        start = self.key(name)
        self.write("]]\n" if several else "]\n")
        keys = (*keys, name)
        if several:
            self.stands.setdefault(keys, Stand(start, start))
            keys = (*keys, sum(one[:-1] == keys and isinstance(one[-1], int) for one in self.stands if one))
        self.stands[keys] = Stand(start, start)
        return keys

    def document(self) -> None:
        self.pairs(())
        for name in [f"table {one}" for one in self.draw(NAMES)]:  # none of those above
            kind = self.draw(st.sampled_from(["one", "deep", "several"]))
            if kind == "one":
                self.pairs(self.header((), name))
            elif kind == "deep":
                at = len(self.text) + 1
                self.pairs(self.header((name,), "inner"))
                blanks = len(self.text[at:]) - len(self.text[at:].lstrip(" \t"))
                self.stands[name,] = Stand(at + blanks, at + blanks)
                if self.draw(st.booleans()):
                    self.header((), name)
            else:
                for _ in range(self.draw(st.integers(1, 3))):
                    here = self.header((), name, several=True)
                    self.pairs(here)
                    if self.draw(st.booleans()):
                        self.pairs(self.header(here, "inner table"))


@settings(max_examples=40, deadline=None)  # each is a whole file
@given(st.data())
def test_every_key_stands_where_it_was_written(data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.document()
    document = Document("p.toml", writer.text)
    assert document._stands == writer.stands


@given(st.text(st.sampled_from(list("ab=[]{}\"'.,#\n 1")), max_size=25))
def test_where_it_understands_less_than_tomllib_it_tells_no_place(text: str) -> None:
    try:
        document = Document("p.toml", text)
    except UserError:
        return
    assert document._stands.keys() in (set(), set(toml._all_keys(document.content, ())))


def test_a_place_is_told_with_line_and_column() -> None:
    table = Document("p.toml", "x = 1\r\n[audits.\"a b\"]\r\n  every = '5s'\r\n").table("audits", "a b")
    assert table.wrong("m", "h", "every").render() == "p.toml:3:11: [audits.a b]: m\n  hint: h"
    assert table.wrong("m", "h", "every", value=False).render() == "p.toml:3:3: [audits.a b]: m\n  hint: h"
    assert table.wrong("m", "").render() == "p.toml:2:9: [audits.a b]: m"


def test_without_a_place_the_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Document, "_stands", {})
    assert Document("p.toml", "a = 1").table().wrong("m", "h", "a").render() == "p.toml: m\n  hint: h"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a = 1\nb = \n", "p.toml:2:5: Invalid value\n  hint: "),
        (b"a = 1\na = 2\n", "p.toml:2:6: Cannot overwrite a value\n  hint: "),
        (b'a = 1\nb = """\n', "p.toml:3:1: Unterminated string at the end\n  hint: "),
        (b"a = 1\nb = '\xff'\n", "p.toml:2:6: cannot be read: byte 0xff is no UTF-8\n  hint: "),
        (b"a = " + b"[" * 100_000, "p.toml: it is nested too deeply\n  hint: "),
        (b"#" * 2_000_000, "p.toml: it has more than 1,048,576 bytes\n  hint: "),
    ],
    ids=range(6),
)
def test_what_is_no_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "p.toml"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        toml.read(path.relative_to(tmp_path))
    assert str(caught.value).startswith(said)


def test_no_line_of_the_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[alerts.a]\nurl = "https://hooks.example/SECRET\n')
    with pytest.raises(UserError) as caught:
        toml.read(tmp_path / "p.toml")
    assert "SECRET" not in str(caught.value)


def test_no_file_is_none(tmp_path: Path) -> None:
    assert toml.read(tmp_path / "p.toml") is None
