"""`portcheck protocols`: what is shown, and why there is nothing to show."""

from __future__ import annotations

from typing import Any

import pytest


def test_the_list_and_one_of_it(portcheck: Any) -> None:
    code, out, _ = portcheck("protocols")
    assert code == 0
    assert "\nredis " in out
    code, out, _ = portcheck("protocols", "show", "redis")
    assert code == 0
    assert "PING" in out


@pytest.mark.parametrize("width", [80, 200])
def test_the_list_keeps_to_the_terminal(portcheck: Any, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = portcheck("protocols")
    assert code == 0
    assert width - 40 < max(map(len, out.splitlines())) <= width


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
