"""The life of one audit's runs, its worker a fake and its clock the test's."""

from __future__ import annotations

import asyncio
import errno
import signal
from typing import TYPE_CHECKING

import pytest

from probe.audit.keeping import Folder
from probe.audit.spool import Spool
from probe.errors import UserError
from probe.history.store import open_history
from probe.history.values import RunState
from probe.model.change import Turn

if TYPE_CHECKING:
    from .conftest import Scene

FINISHED, FAILED, LOST, INTERRUPTED = RunState.FINISHED, RunState.FAILED, RunState.LOST, RunState.INTERRUPTED


def die(*_: object, **__: object) -> None:
    """As far as the next process can tell."""
    raise KeyboardInterrupt


async def test_runs_are_kept_compared_and_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    making = await scene.start()
    assert making.wants()
    assert await making.make()
    assert not making.wants()
    scene.clock.pass_by(hours=6)
    monkeypatch.setenv("FAKE", "ill")
    assert making.wants()
    await making.make()
    first, second = scene.told
    assert [(run.number, run.state, run.outcome) for run in await scene.runs()] == [
        (1, FINISHED, "conforms"),
        (2, FINISHED, "deviations"),
    ]
    assert first.changes is not None
    assert first.changes.changes == ()
    assert second.changes is not None
    assert [change.turn for change in second.changes.changes] == [Turn.NEW]
    assert second.report is not None
    assert scene.spooled == []
    for folder in ("state", "state/audits", "state/audits/shop"):
        assert (scene.folder / folder).stat().st_mode & 0o777 == 0o700
    assert making.state.last == second.run
    assert making.state.problem == ""


async def test_a_restart_makes_no_run_by_itself_and_one_for_all_that_were_missed(scene: Scene) -> None:
    await (await scene.start()).make()
    making = await scene.start()
    assert not making.wants()
    scene.clock.pass_by(days=3)
    making = await scene.start()
    assert making.wants()
    await making.make()
    assert not making.wants()
    assert len(await scene.runs()) == 2


async def test_somebody_asks_for_a_run(scene: Scene) -> None:
    making = await scene.start()
    await making.make()
    making.ask()
    assert making.wants()
    await making.make()
    assert len(await scene.runs()) == 2
    assert not making.wants()


class TestSomebodyAskedForARun:
    """And the service was killed."""

    async def test_before_it_began(self, scene: Scene) -> None:
        await (await scene.start()).make()
        (await scene.start()).ask()
        making = await scene.start()
        assert making.wants()
        await making.make()
        assert not (await scene.start()).wants()
        assert len(await scene.runs()) == 2

    async def test_when_it_was_finished_and_not_noted(self, scene: Scene) -> None:
        making = await scene.start()
        await making.make()
        making.ask()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(making, "_over", die)
            with pytest.raises(KeyboardInterrupt):
                await making.make()
        making = await scene.start()
        assert making.wants()
        assert await making.make() is False
        assert [run.state for run in await scene.runs()] == [FINISHED, FINISHED]
        assert not making.wants()

    async def test_twice_in_the_midst_of_it(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        making = await scene.start()
        await making.make()
        scene.clock.pass_by(hours=1)
        making.ask()
        with monkeypatch.context() as patch:
            patch.setattr("probe.audit.runner.Runner.make", die)
            for _ in range(2):
                making = await scene.start()
                with pytest.raises(KeyboardInterrupt):
                    await making.make()
        making = await scene.start()
        assert await making.make() is False
        assert not making.wants()

    async def test_and_with_a_service_that_ends_in_order_it_is_made_up(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        making = await scene.start()
        await making.make()
        making.ask()
        with monkeypatch.context() as patch:
            patch.setenv("FAKE", "hang")
            run = asyncio.create_task(making.make())
            await scene.until(lambda: making.state.progress is not None and bool(making.state.progress.run))
            making.stop("the service was asked to end")
            await run
        making = await scene.start()
        assert making.wants()
        await making.make()
        assert [run.state for run in await scene.runs()] == [FINISHED, INTERRUPTED, FINISHED]


@pytest.mark.parametrize("leap", [{"days": -1}, {"days": 365}, {"days": 3}, {"minutes": -30}])
async def test_a_clock_that_leaps_while_the_service_waits(scene: Scene, leap: dict[str, float]) -> None:
    """Set, or still while the machine slept: at most one run at once, and the next within the period."""
    making = await scene.start()
    await making.make()
    scene.clock.pass_by(**leap)
    made = 0
    for _ in range(3):
        made += making.wants() and await making.make()
    assert made == (sum(leap.values()) > 0)
    assert 0 < (making.wait() or 0) <= 6.5 * 3600
    assert [run.number for run in await scene.runs()] == list(range(1, made + 2))


class TestTwoOfThem:
    async def test_another_process_of_this_machine(self, scene: Scene) -> None:
        making = await scene.start()
        with Folder(scene.folder / "state/audits", "shop").lock() as ours:
            assert ours
            assert await making.make() is False
        assert await scene.runs() == []
        assert not making.wants()

    async def test_another_coordinator_with_the_same_history(self, scene: Scene) -> None:
        making = await scene.start()
        other = open_history(str(scene.history))
        lock = other.lock("shop")
        assert lock is not None
        with lock:
            assert await making.make() is False
        other.close()
        assert await scene.runs() == []

    async def test_another_coordinator_has_just_made_the_run(self, scene: Scene) -> None:
        making = await scene.start()
        await making.make()
        scene.clock.pass_by(hours=6)
        other = open_history(str(scene.history))
        other.fail("shop", "0123", scene.clock.now.isoformat(), FAILED, "no inventory")
        other.close()
        assert await making.make() is False
        assert len(await scene.runs()) == 2
        assert not making.wants()

    async def test_another_coordinator_has_it_since_the_database_was_gone(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run ends in order, and its lock is asked for again while there is nobody to ask."""
        monkeypatch.setattr("probe.audit.making._HOLDING", 0.01)
        monkeypatch.setenv("FAKE", "hang")
        making = await scene.start()
        archive, answers = scene.archives[-1], [True, None, None, True, False]

        async def holds(_: str) -> bool | None:
            return answers.pop(0)

        monkeypatch.setattr(archive, "holds", holds)
        async with asyncio.timeout(20):
            assert await making.make()
        assert answers == []
        assert [run.state for run in await scene.runs()] == [INTERRUPTED]
        assert not making.wants()


class TestProblems:
    @pytest.mark.parametrize(
        ("fake", "said"),
        [
            ("fail", "no hosts"),
            ("crash", "ended by signal 9"),
            ("nonsense", "made no sense"),
            ("endless", "made no sense"),
        ],
    )
    async def test_a_run_that_fails_is_told_once(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch, fake: str, said: str
    ) -> None:
        monkeypatch.setenv("FAKE", fake)
        making = await scene.start()
        await making.make()
        scene.clock.pass_by(hours=6)
        making = await scene.start()  # a restart does not tell it again
        assert said in making.state.problem
        await making.make()
        scene.clock.pass_by(hours=6)
        monkeypatch.setenv("FAKE", "well")
        await making.make()
        scene.clock.pass_by(hours=6)
        await making.make()
        first, second, third, fourth = scene.told
        assert said in first.problem
        assert (first.run.state, first.report, first.changes) == (FAILED, None, None)
        assert [(ended.problem, ended.recovered) for ended in (second, third, fourth)] == [
            ("", False),
            ("", True),
            ("", False),
        ]
        assert third.was == first.problem.partition("\n")[0]
        assert making.state.problem == ""
        assert [run.state for run in await scene.runs()] == [FAILED, FAILED, FINISHED, FINISHED]

    async def test_broken_files_are_told_once_beside_the_report(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        making = await scene.start()
        for fake in ("kept", "kept", "well"):
            monkeypatch.setenv("FAKE", fake)
            await making.make()
            scene.clock.pass_by(hours=6)
        assert [bool(ended.problem) for ended in scene.told] == [True, False, False]
        assert [ended.recovered for ended in scene.told] == [False, False, True]
        assert all(ended.report is not None for ended in scene.told)
        assert "files of the last run" in scene.told[0].problem

    async def test_one_problem_comes_while_another_is_there(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        making = await scene.start()
        said = []
        for fake in ("kept", "crash", "kept", "well"):
            monkeypatch.setenv("FAKE", fake)
            await making.make()
            said.append(making.state.problem)
            scene.clock.pass_by(hours=6)
        # Of its files, a run that came to no report has not said whether they are broken still.
        assert ["files of the last run" in one for one in said] == [True, False, True, False]
        assert ["signal 9" in one for one in said] == [False, True, False, False]
        assert [bool(ended.problem) for ended in scene.told] == [True, True, True, False]
        assert [ended.recovered for ended in scene.told] == [False, False, False, True]
        assert [bool(ended.was) for ended in scene.told] == [False, False, False, True]
        one, other = (ended.problem.partition("\n")[0] for ended in scene.told[:2])
        assert scene.told[-1].was.split("\n") == [other, one]  # in the order in which they were over


class TestTheHistoryIsGone:
    async def test_runs_go_on_and_are_recorded_in_order_when_it_is_back(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.history.parent.rmdir()
        scene.history.parent.write_text("a file where the folder was")
        making = await scene.start()
        for fake in ("well", "ill", "well"):
            monkeypatch.setenv("FAKE", fake)
            assert await making.make()
            scene.clock.pass_by(hours=6)
        assert len(scene.spooled) == 3
        (news,) = scene.told
        assert "until the history can be written again" in news.problem
        assert news.run.state is RunState.RUNNING  # of the audit, and not of a run
        assert making.state.problem
        scene.history.parent.unlink()
        await making.catch_up()
        assert [(run.number, run.outcome) for run in await scene.runs()] == [
            (1, "conforms"),
            (2, "deviations"),
            (3, "conforms"),
        ]
        assert [ended.recovered for ended in scene.told] == [False, True, False, False]
        turns = [[change.turn for change in ended.changes.changes] for ended in scene.told[1:] if ended.changes]
        assert turns == [[], [Turn.NEW], [Turn.FIXED]]
        assert scene.spooled == []
        assert making.state.problem == ""

    async def test_the_next_start_records_what_waits(self, scene: Scene) -> None:
        scene.history.parent.rmdir()
        scene.history.parent.write_text("a file where the folder was")
        await (await scene.start()).make()
        scene.history.parent.unlink()
        await scene.start()
        assert [run.state for run in await scene.runs()] == [FINISHED]
        assert scene.told[-1].recovered
        assert scene.spooled == []

    async def test_it_goes_away_in_the_midst_of_a_run(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """The run has begun there, and is recorded under its number later."""
        making = await scene.start()
        archive = scene.archives[-1]
        put = making._folder.spool.put

        def put_and_lose(*words: object, **more: object) -> str:
            archive._place = "/dev/null/history.db"
            archive._thread.submit(archive._close).result()  # in the one thread that may
            return put(*words, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(making._folder.spool, "put", put_and_lose)
        await making.make()
        assert len(scene.spooled) == 1
        archive._place = str(scene.history)
        await making.catch_up()
        assert [(run.number, run.state) for run in await scene.runs()] == [(1, FINISHED)]

    async def test_a_defect_of_it_loses_nothing(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        making = await scene.start()

        def defect(*_: object) -> None:
            raise KeyError("defect")

        with monkeypatch.context() as patch:
            patch.setattr("probe.history.store.write_rows", defect)
            await making.make()
            assert "KeyError" in scene.told[-1].problem
            assert len(scene.spooled) == 1
        await making.catch_up()
        assert [run.state for run in await scene.runs()] == [FINISHED]
        assert scene.told[-1].recovered


async def test_a_state_that_cannot_be_kept_is_said_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    making = await scene.start()

    def full(*_: object) -> None:
        raise UserError("state.json: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("probe.audit.keeping.write", full)
        await making.make()
    making.ask()
    assert caplog.text.count("event=state-not-kept") == 1
    assert [run.state for run in await scene.runs()] == [FINISHED]


class TestToldOnce:
    """Between telling and removing the report, whatever happens."""

    async def test_in_one_process(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        making = await scene.start()

        def full(_: str) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        with monkeypatch.context() as patch:
            patch.setattr(making._folder.spool, "remove", full)
            await making.make()
            await making.catch_up()
        assert len(scene.spooled) == 1
        await making.catch_up()
        assert scene.spooled == []
        assert [ended.run.state for ended in scene.told if ended.report is not None] == [FINISHED]

    async def test_in_the_next(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Spool, "remove", lambda *_: None)
        await (await scene.start()).make()
        assert len(scene.spooled) == 1
        monkeypatch.undo()
        await scene.start()
        assert scene.spooled == []
        assert [ended.run.number for ended in scene.told] == [1]


class TestEnds:
    async def test_with_the_service_in_order_and_made_up(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAKE", "hang")
        making = await scene.start()
        run = asyncio.create_task(making.make())
        await scene.until(lambda: making.state.progress is not None and bool(making.state.progress.run))
        making.stop("the service was asked to end")
        await run
        assert [(run.state, run.outcome) for run in await scene.runs()] == [(INTERRUPTED, "interrupted")]
        assert scene.told[-1].changes is None
        monkeypatch.setenv("FAKE", "well")
        making = await scene.start()
        assert making.wants()
        await making.make()
        assert [run.state for run in await scene.runs()] == [INTERRUPTED, FINISHED]

    async def test_at_its_deadline_in_order_and_not_made_up(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FAKE", "hang")
        making = await scene.start(deadline=0.1)
        # The worker begins with the signal blocked, and hears it when it is ready for it, however late that is.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            await making.make()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        assert [run.state for run in await scene.runs()] == [INTERRUPTED]
        assert not making.wants()

    @pytest.mark.parametrize("fake", ["deaf", "survived"])
    async def test_a_run_that_does_not_listen_is_killed(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch, fake: str
    ) -> None:
        monkeypatch.setattr("probe.audit.runner._IN_ORDER", 0.1)
        monkeypatch.setattr("probe.audit.runner._AFTERWARDS", 0.2)
        monkeypatch.setenv("FAKE", fake)
        making = await scene.start(deadline=0.3)
        await making.make()
        assert "deadline" in scene.told[-1].problem
        assert [run.state for run in await scene.runs()] == [FAILED]

    async def test_a_due_time_that_ends_the_service_twice_is_given_up(self, scene: Scene) -> None:
        making = await scene.start()
        await making.make()
        scene.clock.pass_by(hours=6)
        for _ in range(2):
            making = await scene.start()
            found = making.due()
            assert found is not None
            making._attempt(found[0])  # and then the power goes
        making = await scene.start()
        assert await making.make() is False
        scene.clock.pass_by(hours=6)
        assert await making.make()
