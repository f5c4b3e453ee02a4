"""The page about alerts: its example of a message, of a receiver and of the settings."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from probe import resources
from probe.audit.alerts import config, read, webhook
from probe.audit.alerts.news import Word
from probe.spec.toml import Document
from tests.audit.test_metrics import everything

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "alerts.md").read_text(encoding="utf-8")
SECRET = b"0123456789abcdef"


def piece(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def verified() -> Callable[..., bool]:
    names: dict[str, Any] = {}
    exec(piece("python"), names)
    return names["verified"]  # type: ignore[no-any-return]


def test_the_receiver_of_the_page_believes_us_and_nobody_else(verified: Callable[..., bool]):
    body, now = b'{"schema": "portcheck.alert/1"}', int(time.time())
    header = webhook.sign(body, SECRET, now)
    assert verified(SECRET, header, body)
    assert not verified(SECRET, header, body + b" ")
    assert not verified(b"another secret...", header, body)
    assert not verified(SECRET, header.replace(f"t={now}", f"t={now + 1}"), body)
    assert not verified(SECRET, webhook.sign(body, SECRET, now - 301), body)


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=1", "v1=x", "t=²,v1=é", "t=-1,v1=", "t=1e9,v1=", "=,=,="])
def test_it_survives_headers_that_are_none(header: str, verified: Callable[..., bool]):
    assert not verified(SECRET, header, b"")


def test_the_message_of_the_page_fits_its_schema():
    schema = json.loads((resources.folder("reports") / "alert.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(piece("json")))


def test_the_settings_of_the_page_are_right(tmp_path: Path):
    for name, content in (("slack.url", "https://hooks.example/T0/B0/x"), ("webhook.secret", "0123456789abcdef")):
        (tmp_path / name).write_text(content)
    document = Document("portcheck.toml", piece("toml").replace("/etc/portcheck", str(tmp_path)))
    alerts = [read(name, document.table("alerts", name)) for name in document.content["alerts"]]
    assert [alert.type.value for alert in alerts] == ["slack", "webhook", "alertmanager"]


def test_every_key_and_every_word_is_on_the_page():
    told = set(re.findall(r"`([a-z-]+)`", PAGE))
    assert set(config._KEYS) <= told
    assert set(Word) <= told


def test_every_metric_has_its_row():
    rows = re.findall(
        r"^\| `(portcheck_\w+)` \| ([^|]*)\|", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {name: {"audit", *re.findall(r"`(\w+)`", labels)} for name, labels in rows}
    exported: dict[str, set[str]] = {}
    for series, labels in everything().items():
        name = re.sub(r"_(bucket|count|sum)$", "", series)
        exported.setdefault(name, set()).update(labels - {"le"})
    assert told.keys() == exported.keys()
    for name, labels in exported.items():
        assert labels | {"audit"} == told[name]
