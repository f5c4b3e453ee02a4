"""Ceph's messenger (https://docs.ceph.com/en/latest/dev/msgr2/): both versions begin with the server's banner."""

from __future__ import annotations

from probe.protocols.named import Named

CEPH_MON = Named(
    port=3300,
    verified="Ceph 16.2.15, both versions",
    tcp=[
        # A server does not wait for this; others do, and show that they are no Ceph.
        {"send": r"ceph v2\n"},
        # What we said ourselves, and no more, is an echo.
        {"expect": [{"text": r"ceph v2\n", "length": 26}, "ceph v0"]},
    ],
    sends="the first line of a client's banner, `ceph v2`",
    healthy="a banner, `ceph v2` (port 3300) or `ceph v027` (port 6789)",
    proves="a Ceph daemon is there; monitors, managers and OSDs greet alike",
    logs="nothing at the default level",
    programs="ceph-mon ceph-osd ceph-mgr ceph-mds",
    tell=lambda said, _: f"Ceph banner, {said[:8].decode('latin-1').strip()!r}",
)
