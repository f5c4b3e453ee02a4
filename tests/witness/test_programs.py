"""What a process runs, by the words that it was started with: of those one is told, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.witness.programs import program

if TYPE_CHECKING:
    from pathlib import Path


def process(folder: Path, name: str, words: str) -> Path:
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_bytes(b"".join(f"{word}\0".encode() for word in (name, *words.split(" "))))
    return folder


@pytest.mark.parametrize(
    ("name", "words", "found"),
    [
        ("redis-server", "*:6379", "redis-server"),
        ("java", "-Xmx1g -cp a.jar:b.jar -Dx=y org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg",
         "java QuorumPeerMain"),
        ("java", "-Dpassword=s3cret kafka.Kafka --password s3cret", "java Kafka"),
        ("java", "--module-path lib --add-modules=ALL -m org.x/org.x.bootstrap.Elasticsearch", "java Elasticsearch"),
        ("java", "-jar /opt/my-app.jar --password s3cret", "java my-app.jar"),
        ("java", "@arguments s3cret;rm", "java"),
        ("java", "-version", "java"),
        ("java", "-cp", "java"),
        ("java", "-jar", "java"),
        ("java", "a\x1b[31mb", "java"),
        ("java", "x" * 41, "java"),
        ("beam.smp", "-W w -- -root /usr/lib/erlang -setcookie s3cret -noinput -s rabbit boot -boot start_sasl",
         "beam.smp rabbit"),
        ("beam.smp", "-setcookie s3cret", "beam.smp"),
        ("beam.smp", "-s", "beam.smp"),
    ],
)  # fmt: skip
def test_what_a_process_runs(tmp_path: Path, name: str, words: str, found: str) -> None:
    assert program(process(tmp_path, name, words)) == found


def test_one_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="comm"):
        program(tmp_path)


def test_no_more_is_read_than_is_needed(tmp_path: Path) -> None:
    assert program(process(tmp_path, "java", f"-cp {'x' * 300_000} kafka.Kafka")) == "java"
