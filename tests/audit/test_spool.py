"""Reports that wait: in order, bounded, and whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from probe.audit import spool as spools
from probe.audit.spool import Spool, inflate
from probe.errors import UserError
from probe.model.words import Verdict

from .fake_worker import deflated, report

DATA = deflated(report("0a", Verdict.PASS))


@pytest.fixture
def dropped() -> list[str]:
    return []


@pytest.fixture
def spool(tmp_path: Path, dropped: list[str]) -> Spool:
    return Spool(tmp_path / "spool", dropped.append)


def names(spool: Spool) -> list[str]:
    return [one.name.split("-")[1].split(".")[0] for one in spool.waiting()]


def test_in_the_order_in_which_they_came(spool: Spool, tmp_path: Path) -> None:
    for run in ("ff", "0a", "bb"):
        assert spool.put(run, deflated(report(run, Verdict.PASS)), well=True) == ""
    assert names(spool) == ["ff", "0a", "bb"]
    first = spool.waiting()[0]
    found = spool.read(first.name)
    assert found is not None
    assert found.run.id == "ff"
    spool.remove(first.name)
    again = Spool(tmp_path / "spool", lambda _: None)
    assert names(again) == ["0a", "bb"]
    again.put("00", DATA, well=False)
    assert names(again) == ["0a", "bb", "00"]
    assert (tmp_path / "spool" / again.waiting()[0].name).stat().st_mode & 0o777 == 0o600


def test_what_is_kept_outlives_a_power_failure(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[Path] = []
    folder = tmp_path / "spool"
    monkeypatch.setattr(os, "fsync", lambda number: settled.append(Path(f"/proc/self/fd/{number}").readlink()))
    spool.put("0a", DATA, well=True)
    assert settled == [folder / spool.waiting()[0].name, folder]


def test_of_too_many_the_oldest_that_conform_go_first(
    spool: Spool, dropped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "MOST", 3)
    for run, well in (("01", True), ("02", False), ("03", True), ("04", True), ("05", False), ("06", False)):
        spool.put(run, DATA, well=well)
    assert names(spool) == ["02", "05", "06"]
    assert len(dropped) == 3
    spool.put("07", DATA, well=False)
    assert names(spool) == ["05", "06", "07"]


def test_so_it_is_with_bytes(spool: Spool, dropped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "MOST_BYTES", 2 * len(DATA))
    for run in ("01", "02", "03"):
        spool.put(run, DATA, well=False)
    assert names(spool) == ["02", "03"]
    assert len(dropped) == 1


def test_a_full_disk(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no disk takes is held for a while, and goes there when it has room."""

    def full(*_: Any) -> None:
        raise UserError("spool: cannot be written: No space left on device") from OSError(errno.ENOSPC, "")

    write = spools.write
    monkeypatch.setattr(spools, "write", full)
    monkeypatch.setattr(spools, "_HELD", 2)
    spool.put("01", DATA, well=False)
    spool.put("02", DATA, well=True)
    assert "No space left" in spool.put("03", DATA, well=False)
    assert names(spool) == ["01", "03"]
    assert spool.read(spool.waiting()[0].name) is not None
    monkeypatch.setattr(spools, "write", write)
    assert names(spool) == ["01", "03"]
    assert len(list((tmp_path / "spool").iterdir())) == 2


@pytest.mark.parametrize("data", [b"", b"nonsense", DATA[:-10], deflated(report("0a", Verdict.PASS))[:-4] + b"xxxx"])
def test_a_damaged_one_is_put_aside(spool: Spool, tmp_path: Path, data: bytes) -> None:
    spool.put("01", DATA, well=True)
    (one,) = spool.waiting()
    (tmp_path / "spool" / one.name).write_bytes(data)
    assert spool.read(one.name) is None
    assert spool.waiting() == []
    assert [file.name for file in (tmp_path / "spool").iterdir()] == [f"{one.name}.damaged"]


def test_what_inflates_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "LARGEST_JSON", 100)
    with pytest.raises(ValueError, match="cut short"):
        inflate(DATA)


def test_a_strange_name_is_nobodys(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name"):
        spool.put("../../etc", DATA, well=True)
    spool.put("01", DATA, well=True)
    (tmp_path / "spool" / ".00000001-0a.well.z.tmp").write_bytes(b"half")
    assert names(spool) == ["01"]
