"""What tables come to: the draft of small documents, as its own language reads it."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from probe.errors import UserError
from probe.spec.importing import Draft, import_text
from probe.spec.matrix import load_text

PORTS = "## Ports\n| Role | Port | Protocol | Description |\n|---|---|---|---|\n"
FLOWS = "## Connections\n| Source | Target | Port | Protocol | Description |\n|---|---|---|---|---|\n"


def drafted(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the draft says and what it asks; that it loads is seen to for each."""
    draft: Draft = import_text(text, "doc.md")
    load_text(draft.text)
    return YAML(typ="safe", pure=True).load(draft.text), draft.questions


def test_connections_lead_to_the_services_of_the_table_of_ports() -> None:
    found, asked = drafted(
        PORTS + "|db|5432|TCP|data|\n|web|80, 443|TCP||\n\n" + FLOWS + "|Web|DB|5432|TCP|reads|\n|db|Web|443|TCP||\n"
    )
    assert list(found["services"]) == ["db-5432", "web-80", "web-443"]
    assert [(flow["from"], flow["to"]) for flow in found["flows"]] == [("web", "db-5432"), ("db", "web-443")]
    assert found["flows"][0]["cite"] == "table-2"
    assert asked == ("line 11: no table of ports has 443 for web",)


def test_one_row_for_several_services() -> None:
    found, asked = drafted(PORTS + "|nsq|4150|TCP|a|\n|nsq|4151|HTTP|b|\n\n" + FLOWS + "|nsq|nsq|4150-4152||c|\n")
    assert found["flows"][0]["to"] == ["nsq-4150", "nsq-4151", "nsq-4152"]
    assert asked == (
        "line 10: no table of ports has 4152 for nsq",
        "line 10: no protocol is said: drafted as tcp",
    )


def test_tcp_and_udp_are_two_services() -> None:
    found, asked = drafted(FLOWS + "|db|dns|53|TCP/UDP||\n|web|dns|53|UDP||\n")
    assert {name: row["protocol"] for name, row in found["services"].items()} == {"dns-53": "tcp", "dns-53-udp": "udp"}
    assert [flow["to"] for flow in found["flows"]] == [["dns-53", "dns-53-udp"], "dns-53-udp"]
    assert asked == ()


def test_protocols_that_differ() -> None:
    found, asked = drafted(PORTS + "|s3|80|HTTP||\n\n" + FLOWS + "|s3|s3|80|HTTPS||\n|outside|s3|80|TCP||\n")
    assert found["services"]["s3-80"]["protocol"] == "http"
    assert asked == ("line 9: HTTPS here, HTTP in line 4: s3-80 is drafted as http",)


def test_a_protocol_that_only_a_connection_says() -> None:
    found, asked = drafted("| Role | Port |\n|-|-|\n|db|80|\n\n" + FLOWS + "|db|db|80|HTTP||\n")
    assert found["services"]["db-80"]["protocol"] == "http"
    assert asked == ()


@pytest.mark.parametrize(("port", "listen"), [("5000-6000", "some"), ("7000-7009", None), ("1-11", "some")])
def test_wide_ranges(port: str, listen: str | None) -> None:
    found, _ = drafted(FLOWS + f"|a|b|{port}|TCP||\n")
    ((service),) = found["services"].values()
    assert (service["port"], service.get("listen")) == (port, listen)


def test_rows_that_are_there_twice() -> None:
    found, asked = drafted(
        PORTS + "|a|1|TCP|x|\n|a|1|TCP|x|\n|a|1|HTTP|y|\n\n" + FLOWS + "|b|a|1|TCP|x|\n|b|a|1|TCP|x|\n|b|a|1|TCP|y|\n"
    )
    assert len(found["services"]) == 1
    assert [flow["help"] for flow in found["flows"]] == ["x", "y"]
    assert [question for question in asked if "is one of its own" not in question] == [
        'line 11: "b" is in no table of roles: is it one of its own?',
        "line 5: this row repeats that of line 4, and is kept once",
        "line 6: the ports of line 4 once more, in other words: not drafted",
        "line 12: this row repeats that of line 11, and is kept once",
    ]


def test_rows_that_cannot_be_expressed_are_kept() -> None:
    text = import_text(
        FLOWS
        + "|a|b|1024-65536|TCP|it's odd|\n|a||22|TCP||\n||b|22|TCP||\n"
        + "|a|Internet|443|TCP||\n|a|b|22|ESP||\n|a|b|22|TCP||\n",
        "x.md",
    ).text
    for row in (
        "| a | b | 1024-65536 | TCP | it's odd |",
        "| a |  | 22 | TCP |  |",
        "|  | b | 22 | TCP |  |",
        "| a | Internet | 443 | TCP |  |",
        "| a | b | 22 | ESP |  |",
    ):
        assert f"  #   {row.strip()}\n" in text
    assert [line.split(": ", 2)[2] for line in text.splitlines() if "# ?" in line] == [
        "port 65536 does not exist: ports go from 1 to 65535",
        "there is no role",
        "there is no source",
        '"Internet" is not of the installation: a matrix has no services there',
        '"ESP" has no ports',
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("all", "every-host"),
        ("*all*", "every-host"),
        ("All nodes", "every-host"),
        ("every host in the cluster", "every-host"),
        ("all agents", "every-host"),
        ("all clients", "clients"),
        ("All webs", "web"),
        ("Internet", "outside"),
        ("External networks", "outside"),
        ("0.0.0.0/0", "outside"),
        ("outside of the instance", "outside"),
        ("app, Web", ["app", "web"]),
        ("Überwachung", "uberwachung"),
        ("inside", "inside-role"),
        ("контроллер", "role"),
    ],
)
def test_sources(source: str, expected: str | list[str]) -> None:
    found, _ = drafted(FLOWS + f"|web|db|22|TCP||\n|{source}|db|22|TCP|x|\n")
    assert found["flows"][1]["from"] == expected


def test_a_role_that_cannot_have_its_own_name() -> None:
    _, asked = drafted(FLOWS + "|inside|db|22|TCP||\n")
    assert asked == ('"inside" is drafted as inside-role: choose a name, that of the group in your inventory',)


def test_all_hosts_as_a_target() -> None:
    found, asked = drafted(FLOWS + "|web|*all*|22|TCP||\n|web|any host|23|TCP||\n")
    assert found["roles"]["each-host"] == {"on": "every-host"}
    assert {row["role"] for row in found["services"].values()} == {"each-host"}
    found, asked = drafted(
        PORTS + "|agent (all modes)|22|TCP||\n\n" + FLOWS + "|agent|all agents|22|TCP||\n|agent|*all*|22|TCP|x|\n"
    )
    assert found["roles"] == {"agent": {"on": "every-host"}}
    assert [flow["to"] for flow in found["flows"]] == ["agent-22", "agent-22"]
    assert asked == ()


def test_anybody_is_asked_about() -> None:
    _, asked = drafted(FLOWS + "|any|db|22|TCP||\n")
    assert asked == ('line 4: "any" is read as all hosts inside: does it mean those outside too?',)


@pytest.mark.parametrize(
    ("name", "port", "role"),
    [
        ("Storage Server", "2049", "storage"),
        ("Elastic Search", "9200", "es"),
        ("Agent Proxy", "9580", "engine"),
        ("Promethus", "9090", "prometheus"),
        ("the-storage", "1", "storage"),
    ],
)
def test_names_that_are_nearly_known(name: str, port: str, role: str) -> None:
    rows = "|agent|8000|TCP||\n|storage|2049|TCP||\n|es|9200|TCP||\n"
    rows += "|engine|9580|TCP|to the agent proxy|\n|prometheus|9090|TCP||\n"
    found, asked = drafted(PORTS + rows + "\n" + FLOWS + f"|es|{name}|{port}|TCP||\n")
    assert found["services"][found["flows"][0]["to"]]["role"] == role
    assert f'line 13: "{name}" is in no table of roles, and is read as {role}' in asked


def test_names_in_brackets() -> None:
    found, asked = drafted(
        PORTS
        + "|services (app, api)|1|TCP||\n|db (web)|2|TCP||\n|web|3|TCP||\n\n"
        + FLOWS
        + "|API|db (pg_main)|2|TCP||\n|web|db (first one)|2|TCP||\n"
    )
    assert found["roles"]["services"] == {"aliases": ["app", "api"]}
    assert found["flows"][0]["from"] == "services"
    assert asked == (
        'line 5: "db (web)" is read as db: does "(web)" change which hosts are meant?',
        'line 11: "db (pg_main)": is pg_main another name of db? Then aliases: [pg_main]',
        'line 12: "db (first one)" is read as db: does "(first one)" change which hosts are meant?',
    )


def test_what_the_heading_says() -> None:
    rows = "| Node | Port | Protocol |\n|-|-|-|\n|web|80|HTTP|\n\n"
    found, asked = drafted(f"# Title\n## All ports\n{rows}## Connections from the web\n{rows}")
    assert (found["title"], found["flows"][0]["from"]) == ("Title", "web")
    assert asked == ("line 10: no column names the source: drafted as from web",)
    for heading, more in (("Ports exposed outside", 0), ("External ports", 0), ("Inbound", 1)):
        found, asked = drafted(f"## {heading}\n{rows}")
        assert found["flows"][0]["from"] == "outside"
        assert len(asked) == more


def test_the_role_of_a_heading() -> None:
    table = "| Port | Protocol |\n|-|-|\n|8080|HTTP|\n"
    found, asked = drafted(f"## Ports of the Master\n{table}")
    assert found["services"]["master-8080"]["role"] == "master"
    assert asked[0] == "line 4: no column names the role of the ports: drafted as those of Master"
    found, _ = drafted(f"## Inbound ports, master\n{table}")
    assert found["services"]["master-8080"]["role"] == "master"
    found, _ = drafted(f"## What everybody should know about all of it\n{table}")
    assert found["services"]["doc-8080"]["role"] == "doc"


def test_services_alone_get_a_flow_that_fails_no_run() -> None:
    found, asked = drafted(PORTS + "|a|1|TCP||\n|b|2|TCP||\n")
    assert found["flows"] == [{"from": "every-host", "to": ["a-1", "b-2"], "need": "optional"}]
    assert asked == ("no table says who connects to these services: drafted as optional, from all hosts inside",)


def test_profiles() -> None:
    rows = "| Cluster type | Roles | Since |\n|-|-|-|\n|Small one|web, db|4|\n|Small one|web||\n|none||\n\n"
    found, asked = drafted(rows + FLOWS + "|web|db|1|TCP||\n")
    assert found["profiles"] == {"small-one": {"requires": ["web", "db"]}}
    assert [question.partition(": ")[0] for question in asked] == ["line 4", "line 5"]


def test_tables_of_something_else_are_quoted() -> None:
    text = import_text("| Version | Date |\n|-|-|\n|4.2|May|\n\n" + FLOWS + "|a|b|1|TCP||\n", "x.md").text
    assert (
        "# ? line 1: this table has no column of ports, and is not drafted\n#   | Version | Date |\n#   | 4.2 | May |\n"
        in text
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "doc.md: there is no table in this document"),
        (
            "| Version | Date |\n|-|-|\n|4.2|May|\n",
            "doc.md: no table in this document has a column of ports; there is: Version, Date",
        ),
        (FLOWS + "|a|b|any|TCP||\n", "doc.md: no row of its tables can be drafted; the first: line 4: not drafted: "),
    ],
)
def test_nothing_to_draft(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        import_text(text, "doc.md")
    assert str(caught.value).startswith(message)


def test_the_name() -> None:
    assert "\nname: my-ports\n" in import_text(FLOWS + "|a|b|1|TCP||\n", "/tmp/My Ports.md").text
    assert "\nname: draft\n" in import_text(FLOWS + "|a|b|1|TCP||\n", "-").text
    assert "\nname: shop\n" in import_text(FLOWS + "|a|b|1|TCP||\n", "x.md", "shop").text
    assert '\nname: "2024"\n' in import_text(FLOWS + "|a|b|1|TCP||\n", "2024.md").text
