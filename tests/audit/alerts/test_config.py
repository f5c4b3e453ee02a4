"""`[alerts.NAME]`: what it may say, and every way in which it may be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from probe.audit.alerts import Alert, read, read_all
from probe.audit.alerts.config import Type
from probe.audit.alerts.news import Least, Word
from probe.errors import UserError
from probe.spec.diagnostics import SpecError
from probe.spec.toml import Document

if TYPE_CHECKING:
    from pathlib import Path

    from tests.authority import Authority

URL = "https://hooks.example/services/T00/XyZ"


def parse(text: str, name: str = "ops") -> Alert:
    document = Document("portcheck.toml", f"[alerts.{json.dumps(name)}]\n{text}")
    return read(name, document.table("alerts", name))


def problems(text: str, name: str = "ops") -> str:
    with pytest.raises(UserError) as caught:
        parse(text, name)
    return str(caught.value)


def test_the_least_that_it_may_say():
    alert = parse(f'type = "slack"\nurl = "{URL}"')
    assert (alert.type, alert.url.value) == (Type.SLACK, URL.encode())
    assert (alert.wants("any"), alert.timeout, alert.proxy, alert.least) == (True, 10.0, False, Least.DEVIATION)
    assert alert.on == set(Word) - {Word.GONE}
    assert URL not in repr(alert)


def test_everything_that_it_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority):
    (tmp_path / "url").write_text(URL + "\n")
    monkeypatch.setenv("ALERT_SECRET", "0123456789abcdef")
    alert = parse(
        f"""
        type = "webhook"
        url-file = "{tmp_path / "url"}"
        secret-env = "ALERT_SECRET"
        audits = ["nightly"]
        on = ["new", "problem"]
        least = "advice"
        timeout = 2.5
        ca = "{authority.root}"
        proxy = true
        """
    )
    assert (alert.url.value, alert.secret.value) == (URL.encode(), b"0123456789abcdef")
    assert (alert.wants("nightly"), alert.wants("weekly")) == (True, False)
    assert alert.on == {Word.NEW, Word.PROBLEM}
    assert (alert.least, alert.timeout, alert.proxy, alert.tls is not None) == (Least.ADVICE, 2.5, True, True)


def test_everything_that_is_wrong_is_said_at_once():
    said = problems('type = "mail"\nulr = "x"\ntimeout = 0\non = ["still"]\nproxy = "yes"\nleast = 3')
    lines = [line for line in said.split("\n") if not line.startswith("  hint: ")]
    assert [line.partition(": [alerts.ops]: ")[0] for line in lines] == [
        "portcheck.toml:1:9",  # there is no url
        "portcheck.toml:2:8",
        "portcheck.toml:3:1",
        "portcheck.toml:4:11",
        "portcheck.toml:5:7",
        "portcheck.toml:6:9",
        "portcheck.toml:7:9",
    ]
    assert said.count("hint: ") == 7
    assert "unknown key 'ulr'\n  hint: did you mean 'url'?" in said
    assert "'type' cannot be 'mail'\n  hint: it is one of webhook, slack, alertmanager" in said


def test_of_several_tables_too():
    document = Document("p.toml", f'[alerts.a]\ntype = 3\n[alerts.b]\ntype = "slack"\nurl = "{URL}"\n[alerts.c]\n')
    tables = {name: document.table("alerts", name) for name in "abc"}
    with pytest.raises(SpecError) as caught:
        read_all(tables)
    assert [(one.line, one.column) for one in caught.value.diagnostics] == [(1, 9), (2, 8), (6, 9), (6, 9)]
    assert [one.name for one in read_all({"b": tables["b"]})] == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'type' is missing"),
        ('type = "slack"', "'url' is missing"),
        ('type = "slack"\nurl = "a"\nurl-env = "b"', "'url' and 'url-env' exclude each other"),
        ('type = "slack"\nurl = 3', "'url' must be a text"),
        ('type = "slack"\nurl-env = "NOT_SET_ANYWHERE"', "environment variable NOT_SET_ANYWHERE is not set"),
        ('type = "slack"\nurl-file = "/nonexistent"', "/nonexistent cannot be read: No such file"),
        ('type = "slack"\nurl-file = "/dev/zero"', "/dev/zero has more than 16,384 bytes"),
        (f'type = "slack"\nurl = "{URL}"\nca = "/etc/hostname"', "/etc/hostname cannot be read: it has no certificate"),
        (f'type = "slack"\nurl = "{URL}"\nca = "/nonexistent"', "/nonexistent cannot be read: No such file"),
        (f'type = "slack"\nurl = "{URL}"\nsecret-env = "HOME"', "only a webhook is signed"),
        (f'type = "alertmanager"\nurl = "{URL}"\non = ["new"]', "so it takes no 'on'"),
        (f'type = "webhook"\nurl = "{URL}"\nsecret-env = "SHORT"', "the secret is shorter than 16 characters"),
        (f'type = "webhook"\nurl = "{URL}"\naudits = "nightly"', "'audits' must be a list of words"),
        (f'type = "webhook"\nurl = "{URL}"\ntimeout = true', "'timeout' is a number of seconds"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHORT", "short")
    assert said in problems(text)


@pytest.mark.parametrize("url", ["hooks.example/XyZ", "ftp://h/XyZ", "https:///XyZ", "https://h/X yZ", "https://[/XyZ"])
def test_a_url_that_is_none_is_not_shown(url: str):
    said = problems(f'type = "webhook"\nurl = "{url}"')
    assert "portcheck.toml:3:7: [alerts.ops]: what 'url' says is no URL" in said
    assert "yZ" not in said


@pytest.mark.parametrize("name", ["", "../ops", "a b", "x" * 65, ".hidden"])
def test_a_name_is_one_that_a_file_may_have(name: str):
    assert "the name may have letters" in problems(f'type = "webhook"\nurl = "{URL}"', name)
