"""The service as a process: signals, systemd, memory; and what the pages may ask of it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from probe.audit import log, runner
from probe.audit.config import Audit, Config
from probe.audit.making import Making
from probe.audit.order import Order
from probe.audit.schedule import Schedule, every
from probe.audit.service import Service
from probe.spec.toml import Document

from .conftest import FAKE
from .test_crash import command
from .test_lasting import Swift

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .process import Process

SETTINGS = """\
[audits.shop]
inventory = "hosts.txt"
every = "6h"
"""


async def eventually(is_so: Callable[[], bool]) -> None:
    for _ in range(4000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it is not so")


def test_started_by_systemd(start: Callable[..., Process], shop: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(shop / "notify"))
        sock.settimeout(20)
        journal = ["sh", "-c", 'JOURNAL_STREAM=$(stat -Lc %d:%i /dev/fd/2) exec "$@"', "systemd"]
        process = start(
            [*journal, *command("never", "fake")], NOTIFY_SOCKET=str(shop / "notify"), WATCHDOG_USEC="60000000"
        )
        heard = ""
        while "READY=1" not in heard or "WATCHDOG=1" not in heard:
            heard += sock.recv(4096).decode() + "\n"
        process.said("event=recorded")
        process.process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in heard:
            heard += sock.recv(4096).decode() + "\n"
    assert process.wait() == 0
    said = [line for line in heard.splitlines() if line.startswith("STATUS=")]
    assert "STATUS=1 audit, running shop" in said
    assert (said[0], said[-1]) == ("STATUS=1 audit", "STATUS=ending")
    # The journal has its own clock, and wants to know what is worth a look.
    assert process.lines[0].startswith(("<6>INFO audit=shop event=", "<6>INFO event=started"))


def test_only_the_journal_gets_its_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What systemd has started hands the variable on to whatever it starts itself, with another stderr."""
    with (tmp_path / "err").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("JOURNAL_STREAM", "8:1")
        assert not log._is_journal()
        found = (tmp_path / "err").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert log._is_journal()
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "a\nb", None, None)
    assert log._ForJournal("%(levelname)s %(message)s").format(record) == "<4>WARNING a\n<4>b"


def test_it_waits_with_little_memory(start: Callable[..., Process]) -> None:
    process = start(command("never", "fake"))
    process.said("event=recorded")
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    (resident,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 90 * 1024


def test_so_it_does_after_a_large_run_that_was_looked_at(start: Callable[..., Process]) -> None:
    process = start([*command("never", "fake"), "--listen", "127.0.0.1:0"], FAKE="large")
    place = process.said("event=started").partition("dashboard=")[2].split()[0]
    process.said("event=recorded")
    for page in ("", "audits/shop", "audits/shop/runs/1", "audits/shop/runs/1.json", "audits/shop/checks?run=1"):
        with urllib.request.urlopen(f"{place}{page}", timeout=20) as answer:
            assert answer.status == 200
            answer.read()
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    (most,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert most < 100 * 1024


def test_settings_are_read_again(start: Callable[..., Process], shop: Path) -> None:
    settings = shop / "portcheck.toml"
    settings.write_text(SETTINGS)
    words = [sys.executable, str(Path(__file__).with_name("crashing.py")), "never", "fake", "audit"]
    process = start(words)
    process.said("audit=shop event=recorded")
    settings.write_text(SETTINGS.replace("every", "evry"))
    process.process.send_signal(signal.SIGHUP)
    assert "did you mean" in process.said("event=settings-broken")
    settings.write_text(SETTINGS + SETTINGS.replace("shop", "store"))
    process.process.send_signal(signal.SIGHUP)
    process.said("event=settings-read audits=2")
    process.said("audit=store event=recorded")
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert sum("audit=shop event=began" in line for line in process.lines) == 1


def test_an_audit_that_is_renamed_while_it_runs(start: Callable[..., Process], shop: Path) -> None:
    """Its run comes to its end; from then on there is the other one, and whoever is to be told of it."""
    settings = shop / "portcheck.toml"
    settings.write_text(SETTINGS)
    words = [sys.executable, str(Path(__file__).with_name("crashing.py")), "never", "fake", "audit"]
    process = start(words, FAKE="brief")
    process.said("audit=shop event=began")
    hook = '[alerts.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
    settings.write_text(SETTINGS.replace("shop", "store").replace("6h", "1s") + hook)
    process.process.send_signal(signal.SIGHUP)
    process.said("event=settings-read audits=1")
    process.said("audit=shop event=recorded")
    process.said("audit=store event=recorded", count=2)
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert sum("audit=shop event=began" in line for line in process.lines) == 1
    assert not any("event=defect" in line for line in process.lines)


def test_sigterm_ends_a_run_in_order(start: Callable[..., Process]) -> None:
    process = start(command("never", "fake"), FAKE="hang")
    process.said("event=began")
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert process.lines[-1].endswith("event=stopped\n")


async def test_what_waits_for_the_history_does_not_wait_for_runs(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they are due, and whoever makes them."""
    monkeypatch.setattr("probe.audit.service._CATCHING_UP", 0.0)
    order = Order(audit="shop", inventory="hosts.txt")
    config = Config(
        audits=(Audit(order=order, schedule=Schedule(audit="shop", when=every("6h"))),),
        history=str(shop / "history.db"),
        state=shop / "state",
    )
    service = Service(config)
    service._lay_out(config, service._new_ones(config))
    making = service._makings["shop"]
    making.ready = True
    done = []

    async def catch_up() -> None:
        done.append("catch up")

    async def make() -> bool:
        async with making._busy:
            done.append("make")
            making.skip()
            service._end()
            await asyncio.sleep(0)
        return True

    monkeypatch.setattr(making, "catch_up", catch_up)
    monkeypatch.setattr(making, "make", make)
    async with asyncio.timeout(20):
        await service._work()
        await service._end_runs()
    await service._archive.close()
    assert done == ["catch up", "make"]


class TestSettingsAreReadAgain:
    """In this process."""

    @pytest.fixture
    def settings(self, shop: Path) -> dict[str, Config]:
        """What is read next, as `now`."""
        schedule = Schedule(audit="shop", when=every("6h"))
        audit = Audit(order=Order(audit="shop", inventory="hosts.txt"), schedule=schedule)
        return {"now": Config(audits=(audit,), history=str(shop / "history.db"), state=shop / "state")}

    @pytest.fixture
    def go(self) -> asyncio.Event:
        return asyncio.Event()

    @pytest.fixture
    async def service(
        self, settings: dict[str, Config], go: asyncio.Event, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Service]:
        """One that has laid out its audits, and has recovered them when it may `go`."""
        recover = Making.recover

        async def later(making: Making) -> None:
            async with making._busy:
                await go.wait()
            await recover(making)

        monkeypatch.setattr(Making, "recover", later)
        monkeypatch.setattr("probe.audit.making.Runner", Swift)
        service = Service(settings["now"], lambda: settings["now"])
        task = asyncio.create_task(service.run())
        await eventually(lambda: any(making.busy for making in service._makings.values()))
        yield service
        go.set()
        service._end()
        await task

    async def test_an_audit_that_is_no_more_while_it_recovers_makes_no_run(
        self, service: Service, settings: dict[str, Config], go: asyncio.Event
    ) -> None:
        settings["now"] = msgspec.structs.replace(settings["now"], audits=())
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: service._config.audits == ())
        go.set()
        await eventually(lambda: not service._makings)
        assert await service.ask(lambda history: history.runs("shop")) == ()

    async def test_an_audit_that_is_back_while_it_recovers_makes_one(
        self, service: Service, settings: dict[str, Config], go: asyncio.Event
    ) -> None:
        before, without = settings["now"], msgspec.structs.replace(settings["now"], audits=())
        for now in (without, before):
            settings["now"] = now
            os.kill(os.getpid(), signal.SIGHUP)
            await eventually(lambda: service._config == settings["now"])
        go.set()
        await eventually(lambda: service.states()[0].last is not None)
        assert len(await service.ask(lambda history: history.runs("shop"))) == 1

    async def test_what_cannot_be_laid_out_changes_nothing(
        self, service: Service, settings: dict[str, Config], caplog: pytest.LogCaptureFixture
    ) -> None:
        before, (shop,) = settings["now"], settings["now"].audits
        other = msgspec.structs.replace(shop, order=msgspec.structs.replace(shop.order, audit="other"))
        (before.state / "audits/other").write_text("a file where its folder was to be")
        hook = {"hook": Document("p.toml", 'type = "webhook"\nurl = "http://127.0.0.1:9/"').table()}
        settings["now"] = msgspec.structs.replace(before, audits=(other,), alerts=hook)
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: "event=settings-broken" in caplog.text)
        assert service._config is before
        assert list(service._makings) == ["shop"]
        (wiring,) = service._listeners
        assert wiring._next is None  # type: ignore[attr-defined]

    async def test_what_only_a_start_changes(
        self, service: Service, settings: dict[str, Config], caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        before = settings["now"]
        settings["now"] = msgspec.structs.replace(before, state=tmp_path / "elsewhere", history="elsewhere", together=2)
        for times in (1, 2):  # it is said each time
            os.kill(os.getpid(), signal.SIGHUP)
            await eventually(lambda times=times: caplog.text.count("setting=state") == times)  # type: ignore[misc]
            assert caplog.text.count("setting=history") == times
        assert (service._config.state, service._config.together) == (before.state, 2)
        settings["now"] = before
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: service._config.together == before.together)
        assert caplog.text.count("needs-restart") == 4, "it is so no longer"

    async def test_a_reload_while_it_ends_ends_nothing(
        self, service: Service, go: asyncio.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a handler it would be killed."""
        handlers: list[object] = []
        end_runs = service._end_runs

        async def look() -> None:
            handlers.append(signal.getsignal(signal.SIGHUP))
            await end_runs()

        monkeypatch.setattr(service, "_end_runs", look)
        go.set()
        service._end()
        await eventually(lambda: bool(handlers))
        assert signal.SIG_DFL not in handlers


class TestTheDesk:
    @pytest.fixture
    async def service(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
        monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(FAKE)))
        audits = tuple(
            Audit(order=Order(audit=name, inventory="hosts.txt"), schedule=Schedule(audit=name, when=every("6h")))
            for name in ("shop", "store")
        )
        config = Config(audits=audits, history=str(shop / "history.db"), state=shop / "state")
        service = Service(config)
        task = asyncio.create_task(service.run())
        async with asyncio.timeout(20):
            await asyncio.sleep(0)  # the task lays out its audits first
            for name in ("shop", "store"):
                async for state in service.watch(name):
                    if state.last is not None and state.progress is None:
                        break
            yield service
            service._end()
            await task

    async def test_all_of_it(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [state.name for state in service.states()] == ["shop", "store"]
        assert service.state("nobody") is None
        assert service.start("nobody") is False
        state = service.state("shop")
        assert state is not None
        assert (state.schedule, state.problem) == ("every 6h", "")
        assert state.next is not None
        assert len(await service.ask(lambda history: history.runs("shop"))) == 1

        # A run that somebody asks for: seen to begin, to go on and to end.
        monkeypatch.setenv("FAKE", "ill")
        assert service.start("shop")
        assert not service.start("shop")
        seen = []
        async for now in service.watch("shop"):
            seen.append(now)
            if now.last is not None and now.last.number == 2 and now.progress is None:
                break
        assert any(one.progress is not None and one.progress.total == 1 for one in seen)
        assert seen[-1].last is not None
        assert seen[-1].last.outcome == "deviations"

    async def test_who_watches_is_let_go_at_the_end(self, service: Service) -> None:
        async def watch() -> int:
            return len([state async for state in service.watch("shop")])

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        service._end()
        assert await watching >= 1

    async def test_one_run_at_a_time(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAKE", "hang")
        assert service.start("shop")
        assert service.start("store")
        async for state in service.watch("shop"):
            if state.progress is not None:
                break
        other = service.state("store")
        assert other is not None
        assert other.progress is None
