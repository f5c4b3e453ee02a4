"""From the end of a run to the receiver, through failures, restarts and full boxes."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from probe.audit.alerts import Alert, Alerts
from probe.audit.alerts.config import Type
from probe.audit.alerts.outbox import MOST_WAITING, OLDEST
from probe.audit.alerts.webhook import sign
from probe.model.secret import Secret

from .events import BLOCKED, UNKNOWN, Course, redis
from .receivers import Receiver, Time

if TYPE_CHECKING:
    from pathlib import Path

    from probe.audit.values import Ended

SECRET = b"0123456789abcdef"
TOKEN = "/services/T00/B00/XyZ"


class Service:
    """Alerts as the service has them, with what it counts."""

    def __init__(self, url: str, folder: Path | None = None, kind: Type = Type.WEBHOOK, **given: Any) -> None:
        self.spent = Time()
        self.counts: Counter[tuple[str, str]] = Counter()
        options = {word: given.pop(word) for word in ("again", "base", "due") if word in given}
        self.alerts = Alerts(
            [Alert(name="ops", type=kind, url=Secret(url.encode()), **given)],
            folder=folder,
            count=lambda alert, result: self.counts.update([(alert, result)]),
            clock=self.spent.clock(),
            **options,
        )

    async def tell(self, *runs: Ended) -> Counter[tuple[str, str]]:
        """All of them, one service's life long."""
        async with self.alerts as alerts:
            for ended in runs:
                await alerts.ended(ended)
            await alerts.close(grace=10)
        return self.counts


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in receiver.got]


async def test_a_receiver_that_fails_twice_gets_it_once_and_signed():
    async with Receiver([500, 503]).listening() as receiver:
        service = Service(receiver.url, secret=Secret(SECRET))
        counts = await service.tell(Course().run(redis(1, **BLOCKED)))
    assert counts == {("ops", "delivered"): 1}
    assert len({request.headers["Idempotency-Key"] for request in receiver.got}) == 1
    times = []
    for request in receiver.got:
        when = int(request.headers["Portcheck-Signature"].split(",")[0].removeprefix("t="))
        assert request.headers["Portcheck-Signature"] == sign(request.body, SECRET, when)
        times.append(when)
    assert times[0] < times[1] < times[2]


async def test_a_run_without_changes_sends_nothing():
    course = Course()
    async with Receiver().listening() as receiver:
        counts = await Service(receiver.url).tell(course.run(redis()), course.run(redis()))
        assert (counts, receiver.got) == ({}, [])


async def test_of_a_run_that_is_told_again_only_what_is_new_of_the_audit_is_sent():
    """The service was killed before it noted that it had told."""
    ended = Course().run(redis(1, **BLOCKED))
    async with Receiver().listening() as receiver:
        await Service(receiver.url).tell(ended, ended, msgspec.structs.replace(ended, recovered=True))
    assert [(body["counts"], body["recovered"]) for body in bodies(receiver)] == [({"new": 1}, False), ({}, True)]


async def test_other_audits_are_not_its_business():
    async with Receiver().listening() as receiver:
        service = Service(receiver.url, audits=frozenset({"other"}))
        await service.tell(Course().run(redis(1, **BLOCKED)), Course("other").run(redis(1, **BLOCKED)))
    assert [body["audit"] for body in bodies(receiver)] == ["other"]


async def test_a_run_does_not_wait_for_a_silent_receiver():
    over = asyncio.Event()

    async def silent(_: object) -> None:
        await over.wait()

    async with Receiver(before=silent).listening() as receiver:
        alerts = Service(receiver.url, timeout=5).alerts
        async with asyncio.timeout(3):
            await alerts.start()
            await alerts.ended(Course().run(redis(1, **BLOCKED)))
            await receiver.receives(1)
            await alerts.close(grace=0.01)
        over.set()


async def test_what_was_not_delivered_is_sent_after_a_restart(tmp_path: Path):
    course = Course()
    async with Receiver([500] * 6).listening() as receiver:
        counts = await Service(receiver.url, tmp_path).tell(course.run(redis(1, **BLOCKED)))
        assert counts == {("ops", "failed"): 1}
        first = receiver.got.copy()
        receiver.got.clear()
        counts = await Service(receiver.url, tmp_path).tell()
        assert counts == {("ops", "delivered"): 1}
        assert [request.body for request in receiver.got] == [first[0].body]
        assert (await Service(receiver.url, tmp_path).tell()) == {}
    assert (tmp_path / "alerts" / "ops.json").stat().st_mode & 0o777 == 0o600


async def test_what_failed_is_tried_again_without_a_run():
    async with Receiver([500] * 6).listening() as receiver:
        service = Service(receiver.url, again=0.01)
        async with service.alerts as alerts:
            await alerts.ended(Course().run(redis(1, **BLOCKED)))
            await receiver.receives(7)
            await alerts.close(grace=10)
    assert service.counts == {("ops", "failed"): 1, ("ops", "delivered"): 1}


async def test_what_was_given_up_is_told_with_the_next_message():
    course = Course()
    async with Receiver([400]).listening() as receiver:
        runs = [course.run(redis(1, **BLOCKED)), course.run(redis(1)), course.run(redis(1, **BLOCKED))]
        counts = await Service(receiver.url).tell(*runs)
    assert [body["undelivered"] for body in bodies(receiver)] == [0, 1, 0]
    assert counts == {("ops", "lost"): 1, ("ops", "delivered"): 2}


async def test_the_box_is_bounded_and_the_oldest_makes_room(tmp_path: Path):
    course = Course()
    async with Receiver([500] * 1000).listening() as receiver:
        runs = [course.run(redis(1, **BLOCKED if number % 2 else {})) for number in range(MOST_WAITING + 4)]
        service = Service(receiver.url, tmp_path, again=600)
        async with service.alerts as alerts:
            for ended in runs:
                await alerts.ended(ended)
        receiver.statuses.clear()
        receiver.got.clear()
        await Service(receiver.url, tmp_path).tell()
    numbers = [body["run"]["number"] for body in bodies(receiver)]
    assert numbers == list(range(5, MOST_WAITING + 5))
    assert bodies(receiver)[0]["undelivered"] == 3
    assert service.counts["ops", "lost"] == 3


async def test_old_news_is_no_news(tmp_path: Path):
    async with Receiver([500] * 6).listening() as receiver:
        await Service(receiver.url, tmp_path).tell(Course().run(redis(1, **BLOCKED)))
        receiver.got.clear()
        later = Service(receiver.url, tmp_path)
        later.spent.now += OLDEST + 3600
        assert await later.tell() == {("ops", "lost"): 1}
        assert receiver.got == []


async def test_what_was_told_is_remembered_over_a_restart(tmp_path: Path):
    course, check = Course(), redis().id
    async with Receiver().listening() as receiver:
        for row in (redis(1, **BLOCKED), redis(1)):
            await Service(receiver.url, tmp_path).tell(course.run(row, flapping=(check,)))
    assert [body["counts"] for body in bodies(receiver)] == [{"flapping": 1}]


async def test_a_run_that_is_told_again_after_a_kill_is_sent_once(tmp_path: Path):
    """The service may be killed after the alert was delivered, and before it noted that it had told of the run."""
    run = Course().run(redis(1, **BLOCKED))
    async with Receiver().listening() as receiver:
        await Service(receiver.url, tmp_path).tell(run)
        await Service(receiver.url, tmp_path).tell(run)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("content", [b"", b"\xff{", b'{"memory": 3}', b"[" * 100_000])
async def test_a_broken_file_is_begun_anew(tmp_path: Path, content: bytes):
    file = tmp_path / "alerts" / "ops.json"
    file.parent.mkdir()
    file.write_bytes(content)
    async with Receiver().listening() as receiver:
        assert (await Service(receiver.url, tmp_path).tell(Course().run(redis(1, **BLOCKED))))["ops", "delivered"] == 1


async def test_a_folder_that_cannot_be_written_costs_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "alerts").write_text("a file")
    async with Receiver().listening() as receiver:
        counts = await Service(receiver.url, tmp_path).tell(Course().run(redis(1, **BLOCKED)))
    assert counts == {("ops", "delivered"): 1}
    assert "event=not-written" in caplog.text


async def test_no_secret_is_logged_or_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, free_port: int, monkeypatch: pytest.MonkeyPatch
):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    caplog.set_level(logging.DEBUG, "portcheck")
    course = Course()
    async with Receiver([500, 302, 404], {"Location": "http://x" + TOKEN}).listening() as receiver:
        for url in (receiver.url, f"http://127.0.0.1:{free_port}", "http://name.invalid"):
            service = Service(url + TOKEN, tmp_path, secret=Secret(SECRET))
            await service.tell(course.run(redis(1, **BLOCKED)), course.run(redis(1)))
            assert TOKEN not in repr(service.counts)
    said = caplog.text + (tmp_path / "alerts" / "ops.json").read_text()
    assert 'event=refused audit=nightly run=1 why="HTTP 302' in said
    assert "the name has no address" in said
    assert TOKEN not in said
    assert "XyZ" not in said
    assert SECRET.decode() not in said
    assert SECRET.decode() not in repr(Alert(name="a", type=Type.WEBHOOK, url=Secret(b"u"), secret=Secret(SECRET)))


async def test_slack_gets_its_own_shape():
    async with Receiver().listening() as receiver:
        await Service(receiver.url + TOKEN, kind=Type.SLACK).tell(Course().run(redis(1, **BLOCKED)))
    (request,) = receiver.got
    assert request.path == TOKEN
    assert {"text", "blocks"} == json.loads(request.body).keys()
    assert "Portcheck-Signature" not in request.headers


async def test_alertmanager_is_told_after_each_run_until_it_is_over(tmp_path: Path):
    course = Course()
    bad, good = redis(1, **BLOCKED), redis(1)
    async with Receiver([500] * 6).listening() as receiver:
        service = Service(receiver.url, tmp_path, Type.ALERTMANAGER)
        assert await service.tell(course.run(good), course.run(bad)) == {("ops", "failed"): 1}
        receiver.got.clear()
        for runs in ([], [course.run(good)], [course.run(good)]):
            await Service(receiver.url, tmp_path, Type.ALERTMANAGER).tell(*runs)
    # First what was left, then that it is over, and then there is nothing more to say.
    assert [request.path for request in receiver.got] == ["/api/v2/alerts"] * 2
    (begun,), (ended,) = bodies_of_alertmanager(receiver)
    assert begun["endsAt"] > ended["endsAt"]
    assert begun["labels"] == ended["labels"]


async def test_alertmanager_is_told_that_it_is_over_even_if_late():
    course = Course()
    async with (
        Receiver([200] + [500] * 6).listening() as receiver,
        Service(receiver.url, kind=Type.ALERTMANAGER, again=600).alerts as alerts,
    ):
        for row in (redis(1, **BLOCKED), redis(1), redis(1)):
            await alerts.ended(course.run(row))
            await alerts.idle()
    begun, *_, last = bodies_of_alertmanager(receiver)
    assert len(receiver.got) == 8
    assert [alert["labels"] for alert in last] == [alert["labels"] for alert in begun]
    assert last[0]["endsAt"] < begun[0]["endsAt"]


def bodies_of_alertmanager(receiver: Receiver) -> list[list[dict[str, Any]]]:
    return [json.loads(request.body) for request in receiver.got]


async def test_alertmanager_holds_what_is_not_known_to_be_over():
    course = Course()
    async with Receiver().listening() as receiver:
        await Service(receiver.url, kind=Type.ALERTMANAGER).tell(
            course.run(redis(1, **BLOCKED)), course.failed("no inventory"), course.run(redis(1, **UNKNOWN))
        )
        last = bodies_of_alertmanager(receiver)[-1]
    causes = {alert["labels"].get("cause") for alert in last if alert["endsAt"] > "2025-06-16"}
    assert {"network", "agent-lost"} <= causes
