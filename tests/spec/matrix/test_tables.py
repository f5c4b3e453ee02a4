from __future__ import annotations

from probe.model.matrix import Condition
from probe.spec import matrix
from probe.spec.matrix.tables import as_json, condition_shown, tables

SHOP = """\
portcheck: 1
name: shop
sources: {doc: {title: Ports, url: "https://example.com"}}
variables: {api: {default: 9000}, open: {help: to be set}}
roles:
  web: {help: pages}
  app: {aliases: [api, core], on: every-host, help: "runs\\n the API"}
services:
  queue-http: {role: web, port: [4151, 4150], protocol: http}
  api: {role: app, port: "{api}", help: the API}
  queue-tcp: {role: web, port: 4160, listen: some}
  open: {role: web, port: "{open}", bind: local, help: local}
flows:
  - {from: [app, outside], to: [queue-http, queue-tcp, api], when: {role: web}, need: optional, help: why, cite: doc}
profiles: {small: {requires: [web, app]}}
"""


def test_as_the_document_has_them() -> None:
    found = {table.title: table.rows for table in tables(matrix.load_text(SHOP))}
    assert found == {
        "Roles": [("web", "", "pages"), ("app", "api, core", "(every host) runs the API")],
        # In the order of the roles.
        "Ports by role": [
            ("web", "4150-4151", "http", "queue-http"),
            ("web", "4160", "tcp", "queue-tcp: (listen: some)"),
            ("web", "{open}", "tcp", "open: local (bind: local)"),
            ("app", "9000", "tcp", "api: the API"),
        ],
        "Connections": [
            ("app", "web", "4150-4151, 4160", "http, tcp", "(if web; optional) why"),
            ("app", "app", "9000", "tcp", "(if web; optional) why"),
        ],
        "Exposed outside": [
            ("web", "4150-4151, 4160", "http, tcp", "(if web; optional) why"),
            ("app", "9000", "tcp", "(if web; optional) why"),
        ],
        "Variables": [("api", "9000", ""), ("open", "must be set", "to be set")],
        "Profiles": [("small", "web, app")],
        "Sources": [("doc", "Ports https://example.com")],
    }


def test_conditions_in_words() -> None:
    lb, db = Condition(role="lb"), Condition(role="db")
    assert condition_shown(Condition(negated=lb)) == "no lb"
    assert condition_shown(Condition(any_of=(lb, Condition(negated=db)))) == "lb or no db"
    either = Condition(any_of=(lb, db))
    assert condition_shown(Condition(all_of=(either, Condition(negated=either)))) == "(lb or db) and not (lb or db)"


def test_json_has_the_keys_of_the_file() -> None:
    found = as_json(matrix.load_text(SHOP))
    assert found["schema"] == "portcheck.matrix/1"
    assert found["names"] == ["shop"]
    assert found["roles"]["app"] == {"on": "every-host", "aliases": ["api", "core"], "help": "runs\n the API"}
    assert found["services"]["api"] == {
        "role": "app",
        "port": "{api}",
        "ports": "9000",
        "protocol": "tcp",
        "path": "/",
        "status": [],
        "listen": "all",
        "bind": None,
        "help": "the API",
        "cite": "",
        "matrix": "shop",
    }
    assert found["flows"][0]["when"] == {"role": "web"}
    assert found["flows"][0]["from"] == ["app", "outside"]
    assert found["policy"] == {"inside": "advise", "outside": "enforce"}
    assert found["variables"]["open"] == {"default": None, "help": "to be set"}
