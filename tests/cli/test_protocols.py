"""`portcheck protocols`: what each is asked, told in the terminal, and as a piece of a matrix."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.words import Protocol
from probe.protocols import NAMED


@pytest.mark.parametrize("words", [("protocols",), ("protocols", "list")], ids=" ".join)
@pytest.mark.parametrize("width", [80, 200])
def test_the_list_tells_all_of_each(
    portcheck: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = portcheck(*words)
    assert (code, err) == (0, "")
    # An address is not broken.
    assert [line for line in out.splitlines() if len(line) > width and "https://" not in line] == []
    blocks = {block.split()[0]: " ".join(block.split()) for block in out.split("\n\n")[:-1]}
    assert blocks.keys() == NAMED.keys() | set(Protocol)
    for name, known in NAMED.items():
        for text in (known.sends, known.healthy, known.proves, known.logs, known.verified):
            assert text.replace("`", "") in blocks[name]
    assert blocks["dns"].startswith("dns TCP, UDP 53 sends ")
    assert blocks["etcd"].startswith("etcd HTTP 2379 sends ")
    assert blocks["tls"].startswith("tls TCP sends ")


def test_one_as_a_piece_of_a_matrix(portcheck: Any) -> None:
    code, out, err = portcheck("protocols", "show", "redis")
    assert (code, err) == (0, "")
    assert "  redis:\n    role: ROLE\n    port: 6379\n" in out


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("dsn", "there is no protocol 'dsn'\n  hint: did you mean 'dns'?"),
        ("nginx", "there is no protocol 'nginx'\n  hint: did you mean 'http' or 'https'?"),
        ("https", "how 'https' is asked, each row says for itself"),
        ("redis/tls", "'redis/tls' is 'redis' inside TLS\n  hint: show 'redis'"),
        ("vxlan", "'vxlan' has no dialogue of its own"),
    ],
)
def test_why_there_is_none_to_show(portcheck: Any, word: str, said: str) -> None:
    code, out, err = portcheck("protocols", "show", word)
    assert (code, out) == (4, "")
    assert said in err
