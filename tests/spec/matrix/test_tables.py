from __future__ import annotations

from msgspec.structs import replace

from probe.model.conditions import Condition
from probe.model.matrix import Flow, Matrix, Profile, Role, Scope, Service, Source, Variable
from probe.model.words import Family
from probe.spec import matrix
from probe.spec.matrix.diff import compare
from probe.spec.matrix.tables import tables
from probe.spec.matrix.tellings import condition_told, scope_told

SHOP = """\
portcheck: 1
name: shop
sources: {doc: {title: Ports, url: "https://example.com"}}
variables: {api: {default: 9000}, open: {help: to be set}}
roles:
  web: {help: pages}
  app: {aliases: [api, core], on: every-host, help: "runs\\n the API"}
services:
  queue-http: {role: web, port: [4151, 4150], protocol: http, help: Queue}
  api: {role: app, port: "{api}", help: the API}
  queue-tcp: {role: web, port: 4160, help: Queue}
  open: {role: web, port: "{open}", bind: local, help: local}
  other: {role: web, port: 4161, listen: some, help: Queue}
flows:
  - {from: [app, outside], to: [queue-http, queue-tcp, api], when: {role: web}, need: optional, help: why, cite: doc}
profiles: {small: {requires: [web, app]}}
"""


def shown(text: str) -> dict[str, list[tuple[str, ...]]]:
    return {table.title: table.rows for table in tables(matrix.load_text(text))}


def test_as_the_document_has_them() -> None:
    assert shown(SHOP) == {
        "Roles": [("web", "", "pages"), ("app", "api, core", "runs the API (every host)")],
        # In the order of the roles, what has one description in one row.
        "Ports by role": [
            ("web", "4150-4151, 4160", "http, tcp", "queue-http, queue-tcp: Queue"),
            ("web", "{open}", "tcp", "open: local (loopback only)"),
            ("web", "4161", "tcp", "other: Queue (not all listen)"),
            ("app", "9000", "tcp", "api: the API"),
        ],
        "Connections": [
            ("app", "web", "4150-4151, 4160", "http, tcp", "flows[0]: why (if web; optional) [doc]"),
            ("app", "app", "9000", "tcp", "flows[0]: why (if web; optional) [doc]"),
        ],
        "Exposed outside": [
            ("web", "4150-4151, 4160", "http, tcp", "flows[0]: why (if web; optional) [doc]"),
            ("app", "9000", "tcp", "flows[0]: why (if web; optional) [doc]"),
        ],
        "Variables": [("api", "ports", "9000", ""), ("open", "ports", "must be set", "to be set")],
        "Profiles": [("small", "web, app")],
        "Sources": [("doc", "Ports\nhttps://example.com")],
    }


def test_empty_columns_are_left_out() -> None:
    found = {table.title: table.columns for table in tables(matrix.load_text(SHOP))}
    assert found["Roles"] == ("Role", "Also called", "Description")
    assert found["Exposed outside"] == ("Target", "Port", "Protocol", "Use")
    assert found["Profiles"] == ("Profile", "Requires")
    assert found["Sources"] == ("Key", "Title")


def test_rows_of_several_matrices_are_named_as_overrides_name_them() -> None:
    one = matrix.load_text(SHOP)
    both = replace(one, names=("shop", "site"))
    found = {table.title: table.rows for table in tables(both)}
    assert found["Connections"][0][-1] == "shop:flows[0]: why (if web; optional) [doc]"
    assert found["Matrices"] == [("shop",), ("site",)]


def test_ports_that_hang_on_the_inventory_stay_as_they_are_written() -> None:
    head = "portcheck: 1\nname: x\nroles: {a: }\nvariables: {n: {type: count, default: 0}}\nservices:\n"
    text = (
        '  counted: {role: a, port: "{20000 + hosts(a)}"}\n  none: {role: a, port: "7000-{7000 + n - 1}"}\n'
        '  low: {role: a, port: "{n + 10}"}\nflows: [{from: a, to: [counted, none, low]}]\n'
    )
    rows = shown(head + text)
    assert [row[1] for row in rows["Ports by role"]] == ["{20000 + hosts(a)}", "7000-{7000 + n - 1}", "10"]
    assert "Not checkable" not in rows


def endpoint(at: str, *, port: str = "", default: str = "[]") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The row of a service outside the inventory, and why it cannot be checked."""
    rows = shown(
        f"portcheck: 1\nname: x\nroles: {{a: }}\nvariables: {{e: {{type: endpoints, default: {default}}}}}\n"
        f"services: {{s: {{at: {at}{port}}}}}\nflows: [{{from: a, to: s}}]\n"
    )
    return rows["Outside the inventory"][0], rows.get("Not checkable", [])


def test_endpoints() -> None:
    assert endpoint('"h.example:443"') == (("s", "h.example:443", "443", "tcp"), [])
    assert endpoint('"[2001:db8::1]:443"') == (("s", "[2001:db8::1]:443", "443", "tcp"), [])
    assert endpoint('"h.example"', port=", port: 25") == (("s", "h.example", "25", "tcp"), [])
    assert endpoint('"{e}"', default='["h.example:443"]') == (("s", "h.example:443", "443", "tcp"), [])
    assert endpoint('"{e}"') == (("s", "{e}", "tcp"), [("s", "no endpoint is given: set e")])
    assert endpoint('"{e}:443"') == (("s", "{e}:443", "443", "tcp"), [("s", "no endpoint is given: set e")])
    for many, why in (
        ("*.example:443", "*.example stands for many names: name one to check it"),
        ("10.0.0.0/8:443", "10.0.0.0/8 is a network: name one address in it to check it"),
        ("224.0.0.18:443", "224.0.0.18 is a multicast address"),
    ):
        assert endpoint(f'"{many}"') == (("s", many, "443", "tcp"), [("s", why)])
    assert endpoint('"h.example"', port=", port: random")[1] == [("s", "the port is chosen at random at each start")]


def test_source_ports_that_an_agent_may_have_are_no_reason() -> None:
    head = "portcheck: 1\nname: x\nroles: {a: }\nservices: {s: {role: a, port: 1}}\n"
    assert "Not checkable" not in shown(head + "flows: [{from: a, to: s, source-port: 1024-65535}]\n")
    assert shown(head + "flows: [{from: a, to: s, source-port: 1024-60000}]\n")["Not checkable"] == [
        ("flows[0]", "the source sends from port 1024-60000, and an agent from a port that is free")
    ]


def test_only_what_a_plan_cannot_do_without_must_be_set() -> None:
    rows = shown(
        "portcheck: 1\nname: x\nroles: {a: }\n"
        "variables:\n  asked: {type: text}\n  rack: {type: text}\n  p: {type: port}\n"
        'services: {s: {role: a, port: "{p}"}}\n'
        "flows: [{from: a, to: s, when: {not: {target: {variable: asked, is: y}}}, scope: {same: rack}}]\n"
    )
    assert [row[2] for row in rows["Variables"]] == ["must be set", "none", "must be set"]


def test_conditions_in_words() -> None:
    lb, db = Condition(role="lb"), Condition(role="db")
    tls = Condition(variable="tls")
    either = Condition(any_of=(lb, db))
    overlay = Condition(variable="overlay", values=("vxlan", "geneve"))
    said = {
        "lb": lb,
        "no lb": Condition(negated=lb),
        "lb or no db": Condition(any_of=(lb, Condition(negated=db))),
        "(lb or db) and not (lb or db)": Condition(all_of=(either, Condition(negated=either))),
        "tls": tls,
        "not tls": Condition(negated=tls),
        "overlay is vxlan or geneve": overlay,
        "overlay is not vxlan or geneve": Condition(negated=overlay),
        "IPv6": Condition(family=Family.IPV6),
        "not IPv4": Condition(negated=Condition(family=Family.IPV4)),
        "source: lb": Condition(source=lb),
        "source: not lb": Condition(source=Condition(negated=lb)),
        "target: not lb": Condition(negated=Condition(target=lb)),
        "target: lb and not db": Condition(target=Condition(all_of=(lb, Condition(negated=db)))),
        "tls and (source: lb)": Condition(all_of=(tls, Condition(source=lb))),
    }
    assert {condition_told(condition) for condition in said.values()} == set(said)
    assert condition_told(Condition(variable="tls", values=("true",))) == "tls"
    assert condition_told(Condition(variable="tls", values=("false",))) == "not tls"
    assert condition_told(Condition(negated=Condition(variable="tls", values=("false",)))) == "tls"


def test_scopes_in_words() -> None:
    assert scope_told(Scope(same=("rack", "row"))) == "same rack and row"
    assert scope_told(Scope(different=("dc",))) == "another dc"
    assert scope_told(Scope(names=("standby",))) == "to its standby"
    assert scope_told(Scope(same=("dc",), named_by=("primary",))) == "same dc, to those whose primary it is"


def test_nothing_that_a_terminal_would_obey() -> None:
    """The reader takes no such texts; whoever makes a matrix otherwise might."""
    bad = "\x1b[1m\nx"
    condition = Condition(variable="v", values=(bad,))
    made = Matrix(
        names=("x",),
        sources={"d": Source(key="d", title=bad, url=bad)},
        variables={"v": Variable(name="v", default=bad, help=bad)},
        roles={"a": Role(name="a", help=bad)},
        services={"s": Service(name="s", roles=("a",), port="1", unchecked=bad, remedy=bad, help=bad)},
        flows=(Flow(rule="f", sources=("a",), services=("s",), when=condition, unchecked=bad, help=bad),),
        profiles={"p": Profile(name="p", help=bad)},
    )
    lines = [line for table in tables(made) for row in table.rows for cell in row for line in cell.split("\n")]
    assert not any("\x1b" in line for line in lines)
    # Of the two lines of a text there is one; only a source has one for its title and one for its address.
    assert sum("\\x1b[1m x" in line for line in lines) == 11
    told = [cell for row in compare(made, Matrix(names=("y",)), texts=True) for cell in (*row.subject, row.first)]
    told += [
        cell for row in compare(made, replace(made, services={}), texts=True) for cell in (*row.subject, row.first)
    ]
    told += [cell for row in compare(made, replace(made, flows=()), texts=True) for cell in (*row.subject, row.first)]
    assert any("\\x1b[1m x" in cell for cell in told)
    assert not any(char in cell for char in "\x1b\n" for cell in told)
