"""Who listens to the service: alerts and metrics, as portcheck.toml asks for them."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from probe.audit import runner
from probe.audit.config import Audit, Config
from probe.audit.order import Order
from probe.audit.service import Service
from probe.audit.values import Ended
from probe.audit.wiring import Wiring, split
from probe.errors import UserError
from probe.history.retention import Pruned, Retention
from probe.history.store import History
from probe.history.values import RunRecord, RunState
from probe.spec.toml import Document, Table

from .conftest import FAKE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def alert(text: str) -> Table:
    return Document("p.toml", f"[alerts.hook]\n{text}").table("alerts", "hook")


class Receiver:
    """`url`, and what came there."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(await request.json())
        return web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.add_routes([web.post("/", receiver.take)])
    server = web.AppRunner(application)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{server.addresses[0][1]}/"
    yield receiver
    await server.cleanup()


@pytest.fixture
def config(shop: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(FAKE)))
    monkeypatch.setenv("FAKE", "ill")
    return Config(
        audits=(Audit(order=Order(audit="shop", inventory="hosts.txt")),),
        history=str(shop / "history.db"),
        state=shop / "state",
        textfile=str(shop / "metrics.prom"),
        url="https://audit.example/",
        alerts={"hook": alert(f'type = "webhook"\nurl = "{receiver.url}"')},
    )


async def test_a_run_is_told_and_counted(config: Config, receiver: Receiver, shop: Path) -> None:
    (made,) = await Service(config).once()
    assert made.answer == "deviations"
    (message,) = receiver.came
    assert message["audit"] == "shop"
    assert message["run"]["link"] == "https://audit.example/audits/shop/runs/1"
    assert 'portcheck_deviations{audit="shop"} 1.0' in (shop / "metrics.prom").read_text()


async def test_metrics_are_there_again_after_a_restart(config: Config, shop: Path) -> None:
    service = Service(config)
    await service.once()
    (shop / "metrics.prom").unlink()
    service = Service(config)
    service._lay_out(config, service._new_ones(config))
    async with Wiring(config, service) as wiring:
        await wiring.fill()
    assert 'portcheck_deviations{audit="shop"} 1.0' in (shop / "metrics.prom").read_text()
    await service._archive.close()


async def test_what_is_older_than_it_has_to_be_kept_is_dropped(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Retention] = []

    def prune(_: History, keep: Retention) -> Pruned:
        asked.append(keep)
        return Pruned()

    monkeypatch.setattr(History, "prune", prune)
    await Service(msgspec.structs.replace(config, retention={"days": 40, "runs": 20, "failures_days": 80})).once()
    assert asked == [Retention(days=40, runs=20, failures_days=80)]


async def test_settings_that_are_read_again_change_who_is_told(config: Config, receiver: Receiver) -> None:
    service = Service(config)
    service._lay_out(config, service._new_ones(config))
    async with Wiring(config, service) as wiring:
        service._listeners = wiring.listeners
        other = {"elsewhere": alert(f'type = "webhook"\nurl = "{receiver.url}"\naudits = ["nobody"]')}
        wiring.reload(msgspec.structs.replace(config, alerts=other))
        assert wiring._replacing is not None
        await wiring._replacing
        making = service._makings["shop"]
        await making.recover()
        await making.make()
        with pytest.raises(UserError, match="did you mean 'type'"):
            wiring.reload(Config(audits=(), history="", state=config.state, alerts={"hook": alert("typ = 'slack'")}))
    assert receiver.came == []
    await service._archive.close()


def test_the_url_of_a_dashboard_is_that_of_the_start(config: Config) -> None:
    """Without a dashboard it is for alerts alone, which have the new one at once."""
    for listen, said in (("", ()), ("127.0.0.1:0", ("url",))):
        before = msgspec.structs.replace(config, listen=listen)
        other = msgspec.structs.replace(before, url="https://other.example/")
        assert before.read_again(other) == (other, said)


async def test_settings_that_are_read_again_and_again_hold_nobody_up(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To let go of alerts takes seconds while a receiver is silent: a run that ends then is told all the same."""
    happened: list[str] = []

    class Alerts:
        async def start(self) -> None:
            happened.append("start")

        async def close(self) -> None:
            happened.append("close")
            await asyncio.sleep(0.01)

        async def ended(self, _: Ended) -> None:
            happened.append("told")

    monkeypatch.setattr(Wiring, "_new_alerts", lambda *_: Alerts())
    async with Wiring(config, Service(config)) as wiring:
        for _ in range(100):
            wiring.reload(config)
        await asyncio.sleep(0)
        run = RunRecord(audit="shop", number=1, id="0a", state=RunState.FAILED, started="2026-01-01T02:00:00Z")
        await wiring.ended(Ended(audit="shop", run=run))
        assert wiring._replacing is not None
        await wiring._replacing
    assert happened == ["start", "close", "start", "told", "close"]


async def test_alerts_that_make_no_sense_keep_it_from_starting(config: Config, shop: Path) -> None:
    broken = Config(audits=config.audits, history=config.history, state=config.state, alerts={"hook": alert("")})
    with pytest.raises(UserError, match=r"p\.toml:1:9: \[alerts\.hook\]"):
        await Service(broken).run()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:2", ("::1", 2)),
        (":3", ("127.0.0.1", 3)),
        ("localhost:4", ("127.0.0.1", 4)),
    ],
)
def test_where_it_listens(text: str, found: tuple[str, int]) -> None:
    assert split(text) == found


@pytest.mark.parametrize("text", ["", "localhost", "1:2:x", "127.0.0.1:65536", "127.0.0.1:-1"])
def test_what_is_no_place_to_listen(text: str) -> None:
    with pytest.raises(UserError, match="ADDR:PORT"):
        split(text)
