"""Inventory scripts. What their output means is compared with Ansible in test_ansible.py."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.spec.inventory import examine, load, reading, script

if TYPE_CHECKING:
    from conftest import Refused, Tree

ANSWER = '{"web": ["w1"], "_meta": {"hostvars": {}}}'


def test_it_is_run_as_it_is_without_a_shell(tree: Tree) -> None:
    name = "it's; touch ran"
    tree({name: '#!/bin/sh\necho "$0 $*" > called\necho \'' + ANSWER + "'\n"})
    load(name)
    assert Path("called").read_text() == f"{Path.cwd()}/{name} --list\n"
    assert not Path("ran").exists()


def test_each_host_is_asked_for_where_there_is_no_meta(tree: Tree) -> None:
    listed = '{"web": ["w1", "w 2; x"]}'
    answer = '{"ansible_host": "10.0.0.1"}'
    tree({"hosts": f"#!/bin/sh\necho \"$*\" >> called\n[ $1 = --list ] && echo '{listed}' || echo '{answer}'\n"})
    found = load("hosts")
    assert Path("called").read_text().splitlines() == ["--list", "--host w1", "--host w 2; x"]
    assert found.hosts["w 2; x"].vars == {"ansible_host": "10.0.0.1"}
    assert found.hosts["w1"].origins == {"ansible_host": "host"}


@pytest.mark.parametrize("text", ["[web]\nw1\n", "w1\n", "# comment\nw1\n", "all:\n  hosts:\n    w1:\n"])
def test_an_executable_file_that_is_no_program_is_text(text: str, tree: Tree) -> None:
    (tree({"hosts": text}) / "hosts").chmod(0o777)
    assert list(load("hosts").hosts) == ["w1"]


def test_without_the_executable_bit_it_is_text(tree: Tree, refused: Refused) -> None:
    (tree({"hosts": "#!/bin/sh\ntouch ran now\n"}) / "hosts").chmod(0o644)
    assert "hosts:2:7: 'ran' is no variable" in refused("hosts")
    assert not Path("ran").exists()


def test_places_in_what_it_prints(tree: Tree, refused: Refused) -> None:
    lines = ['{"web": ["w1"],', ' "_meta": {"hostvars": {"w1": {"portcheck_zone": "dmz"}}}}']
    tree({"hosts": "\n".join(["#!/bin/sh", "cat <<END", *lines, "END"])})
    assert refused("hosts").startswith("hosts --list:2:32: portcheck_zone is 'dmz'")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "echo one >&2; echo two >&2; exit 7",
            "hosts --list: this inventory script ended with exit code 7\n  hint: it says: one | two",
        ),
        ("exit 1", "hint: it says nothing on stderr"),
        ("kill -9 $$", "was ended by signal 9"),
        (r"printf '\033[2J' >&2; exit 1", r"it says: \x1b[2J"),
        ("true", "hosts --list:1:1: this is no JSON"),
        (r"printf '{\377}'", "hosts --list:1:2: byte 0xff is not UTF-8"),
        ("echo '[]'", "a JSON object of groups is expected"),
        ('echo \'{"web": ["w1"], "web": []}\'', "the key 'web' is here twice"),
    ],
)
def test_failure(body: str, message: str, tree: Tree, refused: Refused) -> None:
    tree({"hosts": f"#!/bin/sh\n{body}\n"})
    assert message in refused("hosts")


def test_failure_for_one_host(tree: Tree, refused: Refused) -> None:
    tree({"hosts": '#!/bin/sh\n[ $1 = --list ] && echo \'{"web": ["w1"]}\' && exit\necho no such host >&2; exit 2\n'})
    assert refused("hosts").startswith(
        "hosts --host w1: this inventory script ended with exit code 2\n  hint: it says: no such host"
    )


def test_its_interpreter_is_not_there(tree: Tree, refused: Refused) -> None:
    tree({"hosts": "#!/no/such/program\nw1\n"})
    text = refused("hosts")
    assert "this inventory script cannot be run: No such file or directory" in text
    assert "first line" in text


def test_much_on_stderr_does_no_harm(tree: Tree) -> None:
    tree({"hosts": f"#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' 'x' >&2\necho; echo '{ANSWER}'\n"})
    _, warnings = examine("hosts")
    assert len(warnings[0].message) < 600
    assert warnings[0].message.startswith("this inventory script says: xxx")


def test_its_output_is_bounded(tree: Tree, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({"hosts": "#!/bin/sh\nexec head -c 3000000 /dev/zero\n"})
    monkeypatch.setattr(script, "MAX_BYTES", 1 << 20)
    assert "hosts --list: this inventory script prints more than 1 MiB" in refused("hosts")


def test_what_it_prints_counts_as_a_file(tree: Tree, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    tree({f"inv/{number}": f"#!/bin/sh\necho '{ANSWER}'\n" for number in range(3)})
    monkeypatch.setattr(reading, "MAX_FILES", 2)
    assert "inv: this inventory has more than 2 files" in refused("inv")


@pytest.mark.parametrize("body", ["exec sleep 600", "sleep 600 & echo $! > pid; wait", "exec >&- 2>&-; exec sleep 600"])
def test_its_time_is_bounded(body: str, tree: Tree, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree({"hosts": f"#!/bin/sh\n{body}\n"})
    monkeypatch.setattr(script, "MAX_SECONDS", 0.3)
    begin = time.monotonic()
    assert "this inventory script does not end: it had 0 s" in refused("hosts")
    assert time.monotonic() - begin < 10
    if (folder / "pid").exists():
        assert _ends(int((folder / "pid").read_text()))


def test_the_runs_for_all_hosts_share_the_time(tree: Tree, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ", ".join(f'"w{number}"' for number in range(1000))
    tree({"hosts": f"#!/bin/sh\n[ $1 = --list ] && echo '{{\"web\": [{hosts}]}}' && exit\nsleep 0.05; echo '{{}}'\n"})
    monkeypatch.setattr(script, "MAX_SECONDS", 0.5)
    assert "does not end" in refused("hosts")


def _ends(pid: int) -> bool:
    """Whether a process that was told to end does."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_it_is_given_no_input(tree: Tree) -> None:
    folder = tree({"hosts": f"#!/bin/sh\ncat > read\necho '{ANSWER}'\n", "input": "typed\n"})
    kept = os.dup(0)
    with (folder / "input").open() as file:
        os.dup2(file.fileno(), 0)
    try:
        load("hosts")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert Path("read").read_text() == ""


def test_a_file_of_variables_is_never_run(tree: Tree, refused: Refused) -> None:
    tree({"hosts": "[web]\nw1\n", "group_vars/web": "#!/bin/sh\ntouch ran\n"})
    refused("hosts")
    assert not Path("ran").exists()
