"""The example rules and the dashboard: that they are sound, and ask for nothing that we do not export."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.audit.test_metrics import everything

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES = PACKAGING / "prometheus" / "portcheck.rules.yml"
DASHBOARD: dict[str, Any] = json.loads((PACKAGING / "grafana" / "portcheck.json").read_text(encoding="utf-8"))
VARIABLES = {"$audit": ".*", "$window": "1d"}


def promtool(*words: str | Path) -> None:
    if shutil.which("promtool") is None:
        (pytest.fail if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1" else pytest.skip)("not installed: promtool")
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def queries() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    found += [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_the_rules_are_valid():
    promtool("check", "rules", RULES)


def test_the_rules_fire_when_they_should(tmp_path: Path):
    text = Path(__file__).with_name("portcheck.rules.test.yml").read_text(encoding="utf-8")
    (tmp_path / "test.yml").write_text(text.replace("RULES", str(RULES)))
    promtool("test", "rules", tmp_path / "test.yml")


def test_what_is_asked_for_is_exported():
    exported = everything()
    for said in [*queries(), *(rule["expr"] for rule in rules())]:
        asked = set(re.findall(r"portcheck_\w+", said))
        assert asked <= exported.keys()
        assert asked or said.startswith("up{")
        for metric, body in re.findall(r"(portcheck_\w+)\{([^}]*)\}", said):
            assert set(re.findall(r"(\w+)[!=]~?", body)) <= exported[metric]


def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path):
    texts = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    for word, value in VARIABLES.items():
        texts = [text.replace(word, value) for text in texts]
    groups = [{"name": "g", "rules": [{"record": f"r:{n}", "expr": text} for n, text in enumerate(texts)]}]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": groups}))
    promtool("check", "rules", tmp_path / "rules.yml")


def test_the_panels_of_the_dashboard_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_each_panel_says_what_it_shows_from_the_source_that_is_chosen():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    used = set(re.findall(r"\$(\w+)", json.dumps(queries())))
    assert used <= {variable["name"] for variable in DASHBOARD["templating"]["list"]}
