from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from probe.errors import UserError
from probe.report.files import require_writable, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_in_a_new_folder(tmp_path: Path) -> None:
    file = tmp_path / "out" / "deep" / "report.txt"
    write(file, "ä\udcff")
    assert file.read_bytes() == "ä\\udcff".encode()
    assert [entry.name for entry in file.parent.iterdir()] == ["report.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~mask


def test_an_existing_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    file.chmod(0o640)
    write(str(file), b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tmp_path / "report")
    write(tmp_path / "latest", b"new")
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "report").read_bytes() == b"new"


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report"
    file.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        write(file, b"new")
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory") as caught:
        write(tmp_path, b"")
    assert f"{tmp_path}/report.html" in str(caught.value)


@pytest.mark.parametrize("path", ["file/report.html", "a\0b", "x" * 300])
def test_what_cannot_be_written_is_a_clear_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / path, b"")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"through")
    reader.join(5)
    assert got == [b"through"]
    assert pipe.is_fifo()


def test_a_dash_is_stdout(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write("-", "✗")
    assert capfdbinary.readouterr().out == "✗".encode()


def test_a_name_at_which_nobody_can_even_look(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File name too long\n  hint: choose a file"):
        require_writable(tmp_path / ("r" * 300))
