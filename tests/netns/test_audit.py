"""The audit at work: a firewall changes, and everybody who looks is told; it changes back, and they are told again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from .harness import _environment, inventory, matrix, pair
from .lab import Lab, chain, command, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-for-the-dashboard-of-this-test"
REFUSED = "tcp dport 5432 reject with icmpx type admin-prohibited"
SECONDS = 60


class Receiver(HTTPServer):
    """A webhook that fails twice before it takes anything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refused = 0
        self.got: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refused < 2:
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.got.append(json.loads(body))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Audit:
    """A service under way, asked as its users ask it."""

    lab: Lab
    folder: Path
    receiver: Receiver
    process: subprocess.Popen[str]
    log: Path

    @property
    def place(self) -> str:
        found = re.search(r"dashboard=(http://\S+)", self.log.read_text())
        assert found, self.log.read_text()
        return found[1].rstrip("/")

    def ask(self, path: str, data: bytes | None = None) -> str:
        request = urllib.request.Request(self.place + path, data, {"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def command(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "probe", *words],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    def run(self, number: int) -> None:
        """The next run, which is the number-th."""
        if number > 1:
            self.ask("/audits/lab/run", b"")
        self.recorded(number)

    def recorded(self, number: int) -> None:
        eventually(lambda: f"event=recorded run={number} " in self.log.read_text(), SECONDS, self.log.read_text)

    def told(self, number: int) -> dict[str, Any]:
        """The last of so many messages."""
        eventually(lambda: len(self.receiver.got) >= number, SECONDS, lambda: f"{self.receiver.got}")
        assert len(self.receiver.got) == number
        return self.receiver.got[-1]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of those that have these labels."""
        lines = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", self.ask("/metrics"), re.MULTILINE)
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(value) for found, value in lines if all(one in found.split(",") for one in wanted))


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    with Lab("a1", "b1") as lab, Receiver() as receiver:
        lab.serve("b1", "echo 5432", "echo 6379")
        (tmp_path / "hosts.txt").write_text(inventory(lab, pair(), (4,), {}))
        services = {"db": "tcp 5432", "cache": "tcp 6379"}
        (tmp_path / "m.yaml").write_text(matrix(pair(), services, {"inside": "enforce"}))
        (tmp_path / "waivers.yaml").write_text("portcheck-waivers: 1\nwaivers: []\n")
        token = tmp_path / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        (tmp_path / "portcheck.toml").write_text(f"""
            history = "history.db"
            [audit]
            listen = "127.0.0.1:0"
            token-file = "token"
            state = "state"
            [audits.lab]
            inventory = "hosts.txt"
            matrix = ["m.yaml"]
            waivers = "waivers.yaml"
            every = "1d"
            [alerts.team]
            type = "webhook"
            url = "http://127.0.0.1:{receiver.server_port}/"
            """)
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        log = tmp_path / "log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "probe", "audit"],
                cwd=tmp_path,
                env={**_environment(), "NO_PROXY": "*"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                text=True,
                start_new_session=True,
            )
        try:
            yield Audit(lab, tmp_path, receiver, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            receiver.shutdown()
            thread.join()


def test_a_rule_that_comes_and_goes_is_seen_by_everybody(audit: Audit) -> None:
    audit.run(1)
    assert "conforms" in audit.ask("/audits/lab").lower()
    assert audit.metric("portcheck_deviations", audit="lab") == 0

    audit.lab.nft("r", chain("forward", REFUSED))
    audit.run(2)
    code, said = audit.command("diff", "lab@1", "lab@2", "--json", "-")
    [change] = json.loads(said)["changes"]
    assert (code, change["turn"]) == (1, "new")
    assert (change["now"]["service"], change["now"]["verdict"], change["now"]["cause"]) == ("db", "blocked", "network")
    message = json.dumps(audit.told(1))
    assert "tcp 5432" in message
    assert '"new"' in message
    assert audit.metric("portcheck_deviations", audit="lab") == 1
    assert audit.metric("portcheck_checks", audit="lab", verdict="blocked", cause="network") == 1
    assert audit.metric("portcheck_changes", audit="lab", turn="new") == 1
    for page in ("/audits/lab/diff?old=1&new=2", "/audits/lab/runs/2"):
        assert "5432" in audit.ask(page), page
    assert "1 deviation" in audit.ask("/")

    audit.run(3)
    assert len(audit.receiver.got) == 1  # what is known is no news

    command(*audit.lab.prefix("r"), "nft", "flush", "ruleset")
    audit.run(4)
    code, said = audit.command("diff", "lab@3", "lab@latest", "--json", "-")
    [change] = json.loads(said)["changes"]
    assert (code, change["turn"], change["now"]["verdict"]) == (0, "fixed", "pass")
    message = json.dumps(audit.told(2))
    assert '"fixed"' in message
    assert audit.metric("portcheck_deviations", audit="lab") == 0
    assert audit.metric("portcheck_changes", audit="lab", turn="fixed") == 1
    assert "5432" in audit.ask("/audits/lab/diff?old=3&new=4")
    assert audit.receiver.refused == 2

    # The life of the check: well, then not, then well again.
    check = change["now"]["id"]
    assert "blocked" in audit.ask(f"/audits/lab/checks/{check}")
    _, said = audit.command("history", "show", "lab", "--check", check)
    told = [(line.split()[0], line.split()[6]) for line in said.splitlines() if " 5432 " in line]
    assert told == [("4", "pass"), ("2-3", "blocked"), ("1", "pass")]


def test_what_is_accepted_what_opens_and_who_is_gone(audit: Audit) -> None:
    """A waiver takes a deviation out of the count and its end brings it back; a listener comes and goes; a host goes,
    and nothing of it is called fixed.
    """
    audit.run(1)
    waiver = "{service: db, sources: [a1], targets: [b1], reason: the ticket, owner: jane, until: UNTIL}"
    waivers = audit.folder / "waivers.yaml"
    waivers.write_text("portcheck-waivers: 1\nwaivers:\n  - " + waiver.replace("UNTIL", "2999-12-31") + "\n")
    audit.lab.nft("r", chain("forward", REFUSED))
    audit.run(2)
    assert audit.metric("portcheck_deviations", audit="lab") == 0
    assert audit.metric("portcheck_waivers", audit="lab", state="used") == 1
    assert "the ticket" in audit.ask("/audits/lab/runs/2")
    assert audit.command("diff", "lab@1", "lab@2")[0] == 0
    assert not audit.receiver.got

    waivers.write_text("portcheck-waivers: 1\nwaivers:\n  - " + waiver.replace("UNTIL", "2020-01-01") + "\n")
    process = audit.lab.start("b1", sys.executable, "-m", "http.server", "7777", "--bind", audit.lab.address("b1"))
    eventually(lambda: any("7777" in one for one in audit.lab.listening("b1")), SECONDS, "nobody listens")
    audit.run(3)
    assert audit.metric("portcheck_deviations", audit="lab") == 2
    assert audit.metric("portcheck_checks", audit="lab", verdict="exposed") == 1
    message = json.dumps(audit.told(1))
    assert "7777" in message
    assert "5432" in message
    assert "expired" in message

    process.terminate()
    process.wait(SECONDS)
    audit.run(4)
    code, said = audit.command("diff", "lab@3", "lab@4", "--json", "-")
    turns = {(change["turn"], change["ports"]) for change in json.loads(said)["changes"]}
    assert (code, turns) == (0, {("fixed", "7777"), ("still", "5432")})
    assert "7777" in json.dumps(audit.told(2))

    command(*audit.lab.prefix("b1"), "ip", "link", "set", "net", "down")
    audit.run(5)
    _, said = audit.command("diff", "lab@4", "lab@5", "--json", "-")
    turns = {change["turn"] for change in json.loads(said)["changes"]}
    assert not turns & {"fixed", "measured"}, said
    assert turns
