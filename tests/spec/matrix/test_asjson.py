from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probe.spec import matrix
from probe.spec.matrix.asjson import as_json
from probe.spec.matrix.files import builtin

EVERYTHING = Path(__file__).parents[2] / "cli" / "tables" / "everything.yaml"


def test_keys_and_forms() -> None:
    found = as_json(
        matrix.load_text(
            "portcheck: 1\nname: shop\nvariables: {api: {default: 9000}, open: {type: names, help: to be set}}\n"
            'roles: {web: , app: {aliases: [core], on: every-host, help: "runs\\n it"}}\n'
            'services:\n  api: {role: app, port: "{api}", help: the API}\n'
            "  both: {role: [web, app], port: 53, protocol: [tcp, udp]}\n"
            "flows:\n  - {from: [app, outside], to: api, when: {variable: open, is: [a, b]}}\n"
            "  - {between: [web, app], to: both, scope: {named-by: open}}\n"
        )
    )
    assert found["schema"] == "portcheck.matrix/1"
    assert found["names"] == ["shop"]
    assert found["variables"]["open"] == {"type": "names", "default": None, "choices": [], "help": "to be set"}
    assert found["roles"]["app"] == {
        "on": "every-host",
        "aliases": ["core"],
        "includes": [],
        "zone": None,
        "networks": [],
        "policy": None,
        "help": "runs\n it",
    }
    assert found["services"]["api"] == {
        "role": "app",
        "port": "{api}",
        "ports": "9000",
        "protocol": "tcp",
        "path": "/",
        "status": [],
        "http": None,
        "tls": None,
        "dialogue": None,
        "listen": "all",
        "count": "",
        "bind": None,
        "address": None,
        "at": [],
        "when": None,
        "unchecked": "",
        "severity": None,
        "remedy": "",
        "help": "the API",
        "cite": "",
        "matrix": "shop",
    }
    assert (found["services"]["both"]["role"], found["services"]["both"]["protocol"]) == (
        ["web", "app"],
        ["tcp", "udp"],
    )
    first, second = found["flows"]
    assert first["when"] == {"variable": "open", "is": ["a", "b"]}
    assert (first["rule"], first["from"], first["between"], first["scope"]) == (
        "flows[0]",
        ["app", "outside"],
        [],
        None,
    )
    assert (second["from"], second["between"], second["scope"]) == ([], ["web", "app"], {"named-by": ["open"]})
    assert found["policy"] == {"inside": "advise", "outside": "enforce"}


@pytest.mark.parametrize("name", [*builtin(), str(EVERYTHING)], ids=lambda name: Path(name).stem)
def test_it_is_the_matrix_itself(name: str) -> None:
    """Nothing is lost: what is read of the JSON, as the YAML that it also is, is the matrix that it was made of."""
    loaded = matrix.load([name])
    assert matrix.load_text(json.dumps(_as_file(as_json(loaded)))) == loaded


def _as_file(found: dict[str, Any]) -> dict[str, Any]:
    """Without what follows from the rest, and with an id only where the file has one."""
    del found["schema"]
    for service in found["services"].values():
        del service["ports"], service["matrix"]
    for flow in found["flows"]:
        rule = flow.pop("rule")
        flow["id"] = "" if rule.startswith("flows[") else rule
        del flow["matrix"]
    return {"portcheck": 1, "name": found.pop("names")[0], **_without_empty(found)}


def _without_empty(value: Any) -> Any:
    """As people write it: what is not said is not there, but for a default, which may be an empty list."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_empty(inner)
        for key, inner in value.items()
        if inner not in ("", None, [], {}, "/") or (key == "default" and inner == [])
    }
