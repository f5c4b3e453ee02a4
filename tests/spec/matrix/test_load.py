"""What the language means; what it refuses is in test_bad.py."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import UserError
from probe.model.conditions import Condition
from probe.model.matrix import Flow, Role, Service, Variable
from probe.model.words import Enough, Expect, Hosts, Listen, Policy, Severity, VariableType, Zone
from probe.spec import matrix
from probe.spec.diagnostics import SpecError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "portcheck: 1\nname: shop\n"
SMALL = """\
portcheck: 1
name: shop
roles:
  web: {aliases: www}
  db:
services:
  db-sql: {role: db, port: 5432}
flows:
  - {from: web, to: db-sql}
"""


def test_what_is_not_said() -> None:
    found = matrix.load_text(SMALL)
    assert found.policy == {Zone.INSIDE: Policy.ADVISE, Zone.OUTSIDE: Policy.ENFORCE}
    assert found.roles["web"].aliases == ("www",)
    assert found.roles["db"].help == ""
    assert found.services["db-sql"] == Service(name="db-sql", roles=("db",), port="5432", matrix="shop")
    assert (found.services["db-sql"].protocols, found.services["db-sql"].listen) == (("tcp",), Listen.ALL)
    assert found.flows == (Flow(rule="flows[0]", sources=("web",), services=("db-sql",), matrix="shop"),)
    assert (found.flows[0].expect, found.flows[0].hosts, found.flows[0].enough) == (Expect.REACH, Hosts.ANY, Enough.ALL)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("{}", VariableType.PORTS),
        ("{default: 80}", VariableType.PORTS),
        ("{default: random}", VariableType.PORTS),
        ("{default: true}", VariableType.BOOLEAN),
        ("{default: FALSE}", VariableType.BOOLEAN),
        ("{choices: [a, b]}", VariableType.CHOICE),
        ("{choices: [a, b], type: choice}", VariableType.CHOICE),
        ("{default: true, type: boolean}", VariableType.BOOLEAN),
        ("{default: [1, 2], type: names}", VariableType.NAMES),
    ],
)
def test_a_type_that_is_not_said(row: str, kind: VariableType) -> None:
    assert matrix.load_text(f"{SMALL}variables: {{v: {row}}}\n").variables["v"].type is kind


@pytest.mark.parametrize(
    ("value", "words"),
    [("true", ("true",)), ("TRUE", ("true",)), ("[True, false]", ("true", "false")), ("'true'", ("true",))],
)
def test_a_boolean_that_a_condition_asks_for(value: str, words: tuple[str, ...]) -> None:
    text = SMALL.replace("to: db-sql", f"to: db-sql, when: {{variable: v, is: {value}}}")
    found = matrix.load_text(f"{text}variables: {{v: {{default: true}}}}\n").flows[0].when
    assert found == Condition(variable="v", values=words)


@pytest.mark.parametrize(
    "text", ["\ufeff" + SMALL, SMALL.replace("\n", "\r\n"), SMALL.rstrip()], ids=["mark", "crlf", "no newline"]
)
def test_marks_line_ends_and_a_missing_newline(text: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    assert matrix.load([str(file)]) == matrix.load_text(SMALL)


@pytest.mark.parametrize("word", ["no", "off", "y", "on", "22", "null"])
def test_words_that_other_yaml_readers_turn_into_something_else(word: str) -> None:
    """As a key and in quotes a word is itself."""
    text = SMALL.replace("  web: {", f"  {word}: {{").replace("from: web", f'from: "{word}"')
    assert matrix.load_text(text).flows[0].sources == (word,)


def test_a_role_may_be_called_no() -> None:
    assert matrix.load_text(SMALL.replace("web", "no")).flows[0].sources == ("no",)


def test_merge(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SMALL)
    (tmp_path / "site.yaml").write_text("""\
portcheck: 1
name: site
title: Our site
variables: {ssh: {default: 22}}
roles:
  web: {aliases: [www, frontends], help: pages}
  admin: {}
services:
  ssh: {role: web, port: "{ssh}"}
  db-sql: {role: db, port: 5432, help: the database}
flows:
  - {from: admin, to: [ssh, db-sql]}
policy: {inside: enforce}
""")
    found = matrix.load([str(tmp_path / "shop.yaml"), str(tmp_path / "site.yaml"), str(tmp_path / "shop.yaml")])
    assert (found.names, found.title) == (("shop", "site"), "shop + Our site")
    assert list(found.roles) == ["web", "db", "admin"]
    assert (found.roles["web"].aliases, found.roles["web"].help) == (("www", "frontends"), "pages")
    assert list(found.services) == ["db-sql", "ssh"]
    assert (found.services["db-sql"].help, found.services["db-sql"].matrix) == ("the database", "shop")
    assert [(flow.matrix, flow.rule) for flow in found.flows] == [("shop", "flows[0]"), ("site", "flows[0]")]
    assert found.policy == {Zone.INSIDE: Policy.ENFORCE, Zone.OUTSIDE: Policy.ENFORCE}


def test_merged_sources_keep_apart(tmp_path: Path) -> None:
    for name, title, port in (("one", "Page one", 80), ("two", "Page two", 81)):
        (tmp_path / f"{name}.yaml").write_text(
            f"portcheck: 1\nname: {name}\nsources: {{doc: {{title: {title}}}, same: {{title: S}}}}\nroles: {{web: }}\n"
            f"services: {{s{port}: {{role: web, port: {port}, cite: doc}}}}\n"
            f"flows: [{{from: web, to: s{port}, cite: doc}}]\n"
        )
    found = matrix.load([str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")])
    titles = {key: source.title for key, source in found.sources.items()}
    assert titles == {"doc": "Page one", "same": "S", "two:doc": "Page two"}
    assert [flow.cite for flow in found.flows] == ["doc", "two:doc"]
    assert [service.cite for service in found.services.values()] == ["doc", "two:doc"]


def test_a_variable_without_default_leaves_it_to_the_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL + "variables: {p: {}}\n")
    (tmp_path / "b.yaml").write_text(
        "portcheck: 1\nname: b\nvariables: {p: {default: 70000}}\nservices: {x: {role: db, port: '{p}'}}\n"
    )
    with pytest.raises(SpecError, match=r"b\.yaml:3:26: the default of variable 'p': port 70000 does not exist"):
        matrix.load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])


def test_the_default_of_the_first_file_stands(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL + "variables: {p: {default: 5000}}\n")
    (tmp_path / "b.yaml").write_text(
        "portcheck: 1\nname: b\nvariables: {p: {help: the port}}\nservices: {x: {role: db, port: '{p}-4000'}}\n"
    )
    with pytest.raises(SpecError, match=r"b\.yaml:4:32: the range \{p\}-4000 runs backwards: it comes to 5000-4000"):
        matrix.load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    (tmp_path / "b.yaml").write_text("portcheck: 1\nname: b\nvariables: {p: {help: the port}}\n")
    found = matrix.load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]).variables["p"]
    assert (found.default, found.help) == (5000, "the port")


def test_a_bad_default_is_found_from_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL + "variables: {p: {default: http}}\n")
    (tmp_path / "b.yaml").write_text("portcheck: 1\nname: b\nservices: {x: {role: db, port: '{p}'}}\n")
    with pytest.raises(SpecError, match=r"a\.yaml:10:26: the default of variable 'p': 'http' is neither a port"):
        matrix.load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])


def test_what_unites(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("""\
portcheck: 1
name: a
variables: {v: {type: count, default: 3}}
roles:
  web: {includes: db, policy: ignore}
  db:
  partner: {zone: outside, networks: [10.0.0.0/8]}
services:
  s: {role: web, port: 80, severity: low, remedy: first}
  t: {role: web, port: 81}
flows:
  - {id: f, from: partner, to: [s, t]}
""")
    (tmp_path / "b.yaml").write_text("""\
portcheck: 1
name: b
variables: {v: {type: count, help: how many}}
roles:
  web: {includes: [db, lb]}
  lb: {policy: enforce}
  db: {policy: advise}
  partner: {zone: outside, networks: [10.0.0.0/8, 192.0.2.0/24]}
services:
  s: {role: web, port: 80, remedy: second}
  t: {role: web, port: 81, severity: high, remedy: third}
flows:
  - {id: f, from: web, to: t}
""")
    found = matrix.load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert found.variables["v"] == Variable(name="v", type=VariableType.COUNT, default=3, help="how many")
    assert found.roles == {
        "web": Role(name="web", includes=("db", "lb"), policy=Policy.IGNORE),
        "db": Role(name="db", policy=Policy.ADVISE),
        "partner": Role(name="partner", outside=True, networks=("10.0.0.0/8", "192.0.2.0/24")),
        "lb": Role(name="lb", policy=Policy.ENFORCE),
    }
    assert [(row.severity, row.remedy) for row in found.services.values()] == [
        (Severity.LOW, "first"),
        (Severity.HIGH, "third"),
    ]
    # An id is a name within its file.
    assert [(flow.matrix, flow.rule) for flow in found.flows] == [("a", "f"), ("b", "f")]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    assert matrix.load(["-"]).names == ("shop",)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hosts")))
    with pytest.raises(SpecError, match="stdin:1:1: expected a mapping, found the text 'hosts'"):
        matrix.load(["-"])


def test_all_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(UserError) as caught:
        matrix.load(["awiare", "a\x1bb", "nul\0.yaml", str(tmp_path / "no.yaml"), str(tmp_path), str(big), "x" * 5000])
    lines = str(caught.value).replace(f"{tmp_path}/", "").replace(str(tmp_path), ".").splitlines()
    built_in = f"the built-in ones are: {', '.join(matrix.builtin())}; a file is named with its path"
    assert lines == [
        "no matrix is called 'awiare'",
        f"  hint: did you mean 'aiware'?; {built_in}",
        "no matrix is called 'a\\x1bb'",
        f"  hint: {built_in}",
        "nul\\x00.yaml: cannot be read: embedded null byte",
        "no.yaml: there is no such file",
        ".: this is a directory; name the file in it",
        "big.yaml: bigger than 4 MiB: this is no matrix",
        f"no matrix is called '{'x' * 59}…'",
        f"  hint: {built_in}",
    ]


def test_no_name_at_all() -> None:
    with pytest.raises(UserError, match="no matrix is named; the built-in ones are"):
        matrix.load([])


def test_problems_are_bounded() -> None:
    rows = "  - {from: x, to: y}\n" * 80
    with pytest.raises(SpecError) as caught:
        matrix.load_text(f"{HEAD}roles: {{a: }}\nservices: {{s: {{role: a, port: 1}}}}\nflows:\n{rows}", "many.yaml")
    assert len(caught.value.diagnostics) == 100
    assert str(caught.value).startswith("many.yaml: more than 99 problems: the rest is not shown\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}flows: " + "[" * 100_000, "nested more than 24 deep"),
        (f"{HEAD}title: " + "x" * 100_000, "a text of more than 10000 characters"),
        ("\n".join(f"k{number}: 1" for number in range(30_000)), "more than 50000 values"),
    ],
    ids=["deep", "long", "many"],
)
def test_size_is_bounded(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        matrix.load_text(text)


# Pieces of the language and of YAML's darker corners, so that texts get past the first check.
PIECES = st.sampled_from([
    *("portcheck: 1\n", "name: a\n", "roles:\n", "  web: {aliases: [x]}\n", "services:\n", "  s: {role: web, port: "),
    *("80}\n", "'{p}'}\n", "flows:\n", "  - {from: web, to: s}\n", "when: {not: {role: web}}", "variables:\n"),
    *("  p: {default: 1}\n", "\t", "\n", ": ", "- ", "? ", "[", "]", "{", "}", "&a ", "*a ", "!x ", "|\n ", ">-\n "),
    *('"', "'", "#", "---\n", "...\n", "%YAML 1.1\n", "\\x", "\\U00110000", "\ufeff", "\x85", "\u2028", "\x07"),
    *("<<: ", "~", "0", "-", ",", "random", "'{p + 1}'", "'{p'", "'a b:1'", "{web: }", "[web, web]"),
    *("at: ", "address: ", "count: ", "scope: {same: p}", "between: ", "bind: local", "expect: block", "id: a"),
    *("overrides: {services: {s: {port: '{q}'}}}\n", "overrides: {flows: {", "flows[0]: off", "when: {variable: p}"),
])  # fmt: skip


@given(
    st.one_of(
        st.text(),
        st.lists(PIECES, max_size=30).map("".join),
        st.lists(PIECES, max_size=8).map(lambda p: SMALL + "".join(p)),
    )
)
def test_any_text_loads_or_says_why_not(text: str) -> None:
    try:
        matrix.load_text(text)
    except SpecError as error:
        problems, message = error.diagnostics, str(error)
    else:
        return
    assert problems
    message.encode()
