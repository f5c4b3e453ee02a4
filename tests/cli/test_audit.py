"""`portcheck audit`: what it is told, and one run for cron."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from probe.audit import runner
from probe.cli import audits

if TYPE_CHECKING:
    import argparse

    from probe.audit.config import Config

FAKE = Path(__file__).parents[1] / "audit" / "fake_worker.py"


@pytest.fixture(autouse=True)
def home(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(shop / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("TZ", "Europe/Berlin")


@pytest.fixture
def told(portcheck: Any, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`config = told("--every", "6h")`: what the service is told, or the words of an error."""
    given: list[Config] = []

    def note(arguments: argparse.Namespace) -> int:
        given.append(audits.config(arguments))
        return 0

    monkeypatch.setattr("probe.cli.audit.run", note)

    def tell(*words: str) -> Any:
        code, _, err = portcheck("audit", *words)
        return given.pop() if code == 0 else err

    return tell


@pytest.fixture
def write(shop: Path) -> Any:
    return (shop / "portcheck.toml").write_text


class TestOneAudit:
    def test_by_arguments(self, told: Any, shop: Path) -> None:
        config = told("-i", "hosts.txt", "--every", "6h", "--jitter", "10m", "--set", "sql_port=1", "--max-rate", "5")
        (made,) = config.audits
        assert (made.name, str(made.schedule), made.deadline) == ("hosts", "every 6h, up to 10m later", 12 * 3600)
        assert (made.order.inventory, made.order.values, made.order.rate) == ("hosts.txt", {"sql_port": "1"}, 5.0)
        assert config.history == str(shop / "state/portcheck/history.db")
        assert config.state == shop / "state/portcheck"

    def test_the_folder_of_the_unit_is_for_what_the_settings_do_not_say(
        self, told: Any, write: Any, shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STATE_DIRECTORY", f"{shop}/unit:{shop}/other")
        words = ("-i", "hosts.txt", "--every", "6h")
        config = told(*words)
        assert (config.history, config.state) == (str(shop / "unit/history.db"), shop / "unit")
        write('history = "postgresql://db/portcheck"')
        config = told(*words)
        assert (config.history, config.state) == ("postgresql://db/portcheck", shop / "unit")

    def test_the_services_themselves_are_asked_unless_another_phase_is_said(self, told: Any) -> None:
        words = ("-i", "hosts.txt", "--every", "6h")
        assert told(*words).audits[0].order.phase == "live"
        assert told(*words, "--phase", "auto").audits[0].order.phase == "auto"

    def test_its_seed_is_its_own_and_stays(self, told: Any) -> None:
        words = ("-i", "hosts.txt", "--every", "6h")
        first, second = told(*words).audits[0].order.seed, told(*words).audits[0].order.seed
        assert first == second != told(*words, "--name", "other").audits[0].order.seed
        assert told(*words, "--seed", "7").audits[0].order.seed == 7

    def test_a_cron_line_in_this_machines_zone_or_another(self, told: Any) -> None:
        words = ("-i", "hosts.txt", "--cron", "15 2 * * 1-5")
        assert str(told(*words).audits[0].schedule) == "15 2 * * 1-5 (Europe/Berlin)"
        assert str(told(*words, "--timezone", "Asia/Tokyo").audits[0].schedule) == "15 2 * * 1-5 (Asia/Tokyo)"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "--inventory FILE is needed"),
            (("-i", "hosts.txt"), "--every 6h, or --cron"),
            (("-i", "hosts.txt", "--every", "6h", "--cron", "0 0 * * *"), "--cron: every says when as well"),
            (("-i", "hosts.txt", "--every", "5s"), "--every: '5s' cannot be kept: from 1m"),
            (("-i", "hosts.txt", "--every", "6h", "--deadline", "0s"), "--deadline: '0s' cannot be kept"),
            (("-i", "hosts.txt", "--every", "6h", "--timezone", "UTC"), "--timezone: it is the zone of cron"),
            (("-i", "hosts.txt", "--cron", "0 0 30 2 *"), "'0 0 30 2 *' never comes"),
            (("-i", "hosts.txt", "--every", "6h", "--listen", "x"), "'x' is no ADDR:PORT"),
            (("-i", "hosts.txt", "--every", "6h", "--only", "x"), "--only: 'x' is not of the form"),
            (("-i", "hosts.txt", "--every", "6"), "no time span"),
            (("-i", "hosts.txt", "--every", "6h", "--jitter", "6h"), "not less than"),
            (("-i", "hosts.txt", "--cron", "0 0 * * *", "--timezone", "Mars"), "not known"),
            (("-i", "hosts.txt", "--cron", "0 0 * *"), "five fields"),
            (("-i", "-", "--every", "6h"), "a file is needed"),
            (("-i", "hosts.txt", "--every", "6h", "--name", "../x"), "cannot be its name"),
            (("-i", "hosts.txt", "--every", "6h", "--together", "0"), "from 1 to 64"),
            (("-i", "hosts.txt", "--every", "6h", "--output", "-"), "to files"),
            (("-i", "hosts.txt", "--every", "6h", "--format", "csv"), "to files"),
            (("-i", "hosts.txt", "--every", "6h", "--url", "audit.example"), "such as https://"),
            (("-i", "hosts.txt", "--every", "6h", "--url", "https://[x"), "such as https://"),
        ],
    )
    def test_what_makes_no_sense(self, told: Any, words: tuple[str, ...], said: str) -> None:
        assert said in told(*words)


class TestSeveral:
    def test_from_tables_over_what_they_share(self, told: Any, write: Any) -> None:
        write(
            """
            max-rate = 50
            phase = "live"
            [audit]
            every = "1d"
            history = "postgresql://db/portcheck"
            keep-days = 30
            [audits.shop]
            inventory = "hosts.txt"
            set = {sql_port = 5432}
            [audits.store]
            inventory = "store.txt"
            matrix = ["shop.yaml", "more.yaml"]
            cron = "15 2 * * *"
            timezone = "UTC"
            phase = "auto"
            [alerts.team]
            type = "slack"
            """
        )
        config = told()
        shop, store = config.audits
        assert (shop.name, str(shop.schedule), shop.order.phase, shop.order.rate) == ("shop", "every 1d", "live", 50.0)
        assert shop.order.values == {"sql_port": "5432"}
        assert (store.order.matrix, str(store.schedule)) == (("shop.yaml", "more.yaml"), "15 2 * * * (UTC)")
        assert store.order.phase == "auto"
        assert (config.history, config.retention["days"]) == ("postgresql://db/portcheck", 30)
        assert {name: table.content for name, table in config.alerts.items()} == {"team": {"type": "slack"}}

        assert [one.name for one in told("--name", "store").audits] == ["store"]
        assert [one.name for one in told("-i", "hosts.txt").audits] == ["hosts"]
        assert {one.order.phase for one in told("--phase", "pre-install").audits} == {"pre-install"}
        assert "did you mean 'store'" in told("--name", "stor")

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            (
                "[audits.a]\ninventry = 'x'\nevry = '6h'",
                "2:1: [audits.a]: unknown key 'inventry'\n  hint: did you mean 'inventory'",
            ),
            ("[audits.a]\ninventory = 'x'", "1:9: [audits.a]: when?"),
            ("[audits.a]\nevery = '6h'", "1:9: [audits.a]: inventory: a file is needed"),
            ("[audits.a]\nevery = '6h'\ninventory = '-'", "3:13: [audits.a]: inventory: a file is needed"),
            ("[audits.'../a']\ninventory = 'x'\nevery = '6h'", "1:9: [audits.../a]: audit '../a': this cannot be"),
            (
                "[audits.a]\ninventory = 'x'\nlisten = ':1'",
                "3:1: [audits.a]: listen is not for one audit\n  hint: it belongs under [audit]",
            ),
            ("[audits.a]\ninventory = 'x'\nevery = '1x'", "3:9: [audits.a]: every: '1x' is no time span\n  hint: such"),
            (
                "[audits.a]\ninventory = 'x'\nevery = '5s'",
                "3:9: [audits.a]: every: '5s' cannot be kept\n  hint: from 1m to 366d is possible\n",
            ),
            ("[audits.a]\ninventory = 'x'\ncron = '0 0 30 2 *'", "3:8: [audits.a]: cron: '0 0 30 2 *' never comes"),
            ("[audits.a]\ncron = '1 2 * * *'\ntimezone = 'Mars'", "3:12: [audits.a]: timezone: 'Mars' is not known"),
            ("[audits.a]\ninventory = 'x'\nevery = '6h'\njitter = '7h'", "4:10: [audits.a]: jitter: 7h is not less"),
            ("[audits.a]\ninventory = 'x'\nevery = '6h'\ncron = '1 2 * * *'", "4:8: [audits.a]: cron: every says when"),
            ("[audits.a]\ninventory = 'x'\nevery = '6h'\nonly = 'x'", "4:8: [audits.a]: only: 'x' is not of the form"),
            ("[audits.a]\ninventory = 'x'\nevery = '6h'\nset = ['x']", "4:7: [audits.a]: set: 'x' is not of the form"),
            ("[audits.a]\ninventory = 'x'\nevery = '6h'\noutput = 'x.pdf'", "4:10: [audits.a]: output: x.pdf: which"),
            (
                "[audits.a]\ninventory = 'x'\nevery = '6h'\ntimezone = 'UTC'",
                "4:12: [audits.a]: timezone: it is the zone of cron, and no cron says when",
            ),
            (
                "[audit]\ntimezone = 'UTC'\n[audits.a]\ninventory = 'x'\nevery = '6h'",
                "2:12: [audit]: timezone: it is the zone of cron, and no cron says when",
            ),
            ("[audit]\nlisten = 'x'", "2:10: [audit]: listen: 'x' is no ADDR:PORT"),
            ("[audit]\nurl = 'x'", "2:7: [audit]: url: alerts could not link to 'x'"),
            ("[audit]\ntogether = 0", "2:12: [audit]: together: 0 does not fit\n  hint: a number from 1 to 64"),
            (
                "[audit]\nevery = '6h'\noutput = 'r.csv'\n[audits.a]\ninventory = 'x'\n[audits.b]\ninventory = 'y'",
                "3:10: [audit]: output: r.csv: two audits cannot write the same file, and a does",
            ),
            ("[audit]\nhistry = 'x'", "2:1: [audit]: unknown key 'histry'\n  hint: did you mean 'history'"),
            ("audits = 3", "1:10: audits: a table is wanted"),
            ("[audits]\na = 3", "2:5: [audits]: a: a table is wanted"),
            (
                "[audit.nightly]\nevery = '6h'",
                "1:8: [audit]: unknown key 'nightly'\n  hint: a table of one audit is [audits.nightly]",
            ),
            (
                (
                    "[audit]\nevery = '6h'\n[audits.a]\ninventory = 'x'\noutput = 'r.csv'\n"
                    "[audits.b]\ninventory = 'y'\noutput = './r.csv'"
                ),
                "8:10: [audits.b]: output: r.csv: two audits cannot write the same file, and a does",
            ),
            (
                "[audits.night]\ninventory = 'x'\nevery = '6h'\n[alerts.t]\naudits = ['nigth', 'night']",
                "5:11: [alerts.t]: 'audits' names 'nigth', and there is no such audit\n  hint: did you mean 'night'",
            ),
        ],
    )
    def test_what_makes_no_sense_is_told_with_its_place(self, told: Any, write: Any, table: str, said: str) -> None:
        write(table)
        assert f"portcheck.toml:{said}" in told()

    def test_a_zone_may_be_shared_by_those_that_have_a_cron_line(self, told: Any, write: Any) -> None:
        write(
            """
            [audit]
            timezone = "Asia/Tokyo"
            every = "6h"
            [audits.a]
            inventory = "hosts.txt"
            [audits.b]
            inventory = "hosts.txt"
            cron = "15 2 * * *"
            """
        )
        schedules = ["every 6h", "15 2 * * * (Asia/Tokyo)"]
        assert [str(one.schedule) for one in told().audits] == schedules
        assert [str(told("--name", name).audits[0].schedule) for name in "ab"] == schedules
        assert [str(one.schedule) for one in told("--every", "1h").audits] == ["every 1h"] * 2

    def test_everything_at_once(self, told: Any, write: Any) -> None:
        write("[audits.a]\nevry = '6h'\n[audits.b]\njiter = '1m'\nfoo = 1")
        assert all(word in told() for word in ("'evry'", "'jiter'", "'foo'"))

    def test_other_commands_do_not_mind_them(self, portcheck: Any, write: Any) -> None:
        write("[audit]\nlisten = '127.0.0.1:1'\n[audits.a]\ninventory = 'x'\n[alerts.b]\ntype = 'slack'")
        assert portcheck("plan", "-i", "hosts.txt")[0] == 0


class TestOnce:
    @pytest.fixture
    def once(self, portcheck: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """`once("ill", …)`: one run, its worker a fake that does so."""
        monkeypatch.setattr(runner, "COMMAND", (sys.executable, str(FAKE)))

        def run(fake: str, *words: str) -> tuple[int, str, str]:
            monkeypatch.setenv("FAKE", fake)
            code, out, err = portcheck("audit", "-i", "hosts.txt", "--once", *words)
            return code, out, err

        return run

    def test_every_deviation_counts(self, once: Any) -> None:
        assert once("well")[0] == 0
        code, out, err = once("ill")
        assert (code, err) == (1, "")
        assert "1 deviation in 1 check" in out
        assert "new" in out
        assert once("ill")[0] == 1

    def test_only_what_is_new_counts(self, once: Any) -> None:
        assert [once(fake, "--fail-on", "change")[0] for fake in ("well", "ill", "ill", "well", "ill")] == [
            0,
            1,
            0,
            0,
            1,
        ]

    def test_nothing_that_was_found_counts(self, once: Any) -> None:
        assert [once(fake, "--fail-on", "never")[0] for fake in ("well", "ill", "fail")] == [0, 0, 4]

    def test_where_nothing_was_measured_it_is_no_success(self, once: Any) -> None:
        assert [once("blind", "--fail-on", word)[0] for word in ("deviation", "change", "never")] == [6, 6, 6]

    def test_the_first_run_has_everything_new(self, once: Any) -> None:
        assert once("ill", "--fail-on", "change")[0] == 1

    def test_reports_go_to_files_too(self, portcheck: Any, shop: Path, free_ports: Any) -> None:
        """With a real run, for it is the run that writes them."""
        (port,) = free_ports(1, "127.81.0.2")
        (shop / "portcheck.toml").write_text(
            f"[audits.a]\ninventory = 'hosts.txt'\noutput = ['r.html', 'r.csv']\nset = {{sql_port = {port}}}\n"
        )
        code, out, _ = portcheck("audit", "--once", "--phase", "live")
        assert (code, "down" in out) == (1, True)
        assert (shop / "r.html").read_text().lower().startswith("<!doctype html>")
        assert str(port) in (shop / "r.csv").read_text()

    def test_waivers_count(self, portcheck: Any, shop: Path, free_ports: Any) -> None:
        (port,) = free_ports(1, "127.81.0.2")
        (shop / "w.yaml").write_text(
            "portcheck-waivers: 1\nwaivers: [{service: sql, reason: r, owner: o, until: never}]\n"
        )
        words = ("audit", "-i", "hosts.txt", "--once", "--phase", "live", "--set", f"sql_port={port}")
        assert portcheck(*words, "--waivers", "w.yaml")[0] == 0
        assert portcheck(*words)[0] == 1

    def test_files_that_are_broken_are_no_success(self, once: Any) -> None:
        code, out, err = once("kept")
        assert (code, "conforms" in out) == (4, True)
        assert "hosts.txt:1:1: no hosts" in err

    def test_a_run_that_cannot_be_made(self, once: Any) -> None:
        code, _, err = once("fail")
        assert code == 4
        assert "hosts.txt:1:1: no hosts" in err

    def test_no_history(self, once: Any, shop: Path) -> None:
        (shop / "file").write_text("")
        for word, expected in (("deviation", 1), ("change", 4), ("never", 4)):
            code, out, err = once("ill", "--history", "file/history.db", "--fail-on", word)
            assert (code, "deviations" in out) == (expected, True)
            assert "file/history.db" in err

    def test_while_another_is_made(self, once: Any, shop: Path) -> None:
        from probe.audit.keeping import Folder

        once("well")
        with Folder(shop / "state/portcheck/audits", "hosts").lock() as ours:
            assert ours
            code, _, err = once("well")
        assert code == 4
        assert "a run of it is under way" in err

    @pytest.mark.usefixtures("once")
    def test_while_one_of_several_is_made_the_others_have_their_run(
        self, portcheck: Any, shop: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from probe.audit.keeping import Folder

        monkeypatch.setenv("FAKE", "well")

        (shop / "portcheck.toml").write_text(
            "".join(f'[audits.{name}]\ninventory = "hosts.txt"\n' for name in ("shop", "store"))
        )
        folder = Folder(shop / "state/portcheck/audits", "shop")
        folder.make()
        with folder.lock():
            code, out, err = portcheck("audit", "--once")
        assert code == 4
        assert "shop: no run could be made\nstore, run 1: conforms" in out
        assert "shop: a run of it is under way\n  hint: " in err
