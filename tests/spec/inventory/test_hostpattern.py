from __future__ import annotations

import pytest

from probe.spec.inventory.hostpattern import PatternError, expand


@pytest.mark.parametrize(
    ("text", "names", "port"),
    [
        ("web", ["web"], None),
        ("web:2222", ["web"], 2222),
        ("web:0", ["web"], 0),
        ("web[1:3]", ["web1", "web2", "web3"], None),
        ("web[1:3]:22", ["web1", "web2", "web3"], 22),
        ("web[08:11].x", ["web08.x", "web09.x", "web10.x", "web11.x"], None),
        ("web[1:9:4]", ["web1", "web5", "web9"], None),
        ("web[1:8:4]", ["web1", "web5"], None),
        ("web[:2]", ["web0", "web1", "web2"], None),
        ("db-[a:c]", ["db-a", "db-b", "db-c"], None),
        ("db-[a:e:2]x", ["db-ax", "db-cx", "db-ex"], None),
        # Small letters come before capitals.
        ("[y:B]", ["y", "z", "A", "B"], None),
        ("r[1:2]n[a:b]", ["r1na", "r1nb", "r2na", "r2nb"], None),
        ("10.0.0.[1:2]:22", ["10.0.0.1", "10.0.0.2"], 22),
        ("2001:db8::1", ["2001:db8::1"], None),
        ("[2001:db8::1]:22", ["2001:db8::1"], 22),
        ("[2001:db8::[1:2]]:22", ["2001:db8::1", "2001:db8::2"], 22),
        ("[web]:22", ["web"], 22),
        # No host name ends in a hyphen, so this colon does not start a port.
        ("web-:22", ["web-:22"], None),
        ("a:b", ["a:b"], None),
    ],
)
def test_expand(text: str, names: list[str], port: int | None) -> None:
    assert expand(text) == (names, port)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("web[3:1]", 4),
        ("web[b:a]", 4),
        ("web[01:100]", 7),
        ("web[1:", 3),
        ("web]1[", 5),
        ("web[1]", 4),
        ("web[1:2:0]", 8),
        ("web[1:2:x]", 8),
        ("web[a:9]", 4),
        ("web[-1:3]", 4),
        ("web[ab:cd]", 4),
        ("web[1:100001]", 4),
        ("web[1:1000][1:1000]", 12),
        ("web[1:99999999999999999999]", 6),
        ("[::1]", 2),
        ("web:65536", 4),
        ("web:" + "9" * 5000, 4),
    ],
)
def test_refuse(text: str, offset: int) -> None:
    with pytest.raises(PatternError) as caught:
        expand(text)
    assert caught.value.offset == offset


def test_the_largest_range() -> None:
    assert len(expand("h[1:100000]")[0]) == 100_000
