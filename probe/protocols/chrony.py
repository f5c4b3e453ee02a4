"""chronyd's command protocol, version 6 (candm.h of chrony): what chronyc speaks."""

from __future__ import annotations

from probe.protocols.named import Named

CHRONY = Named(
    port=323,
    verified="chrony 4.3",
    udp=[
        # The null request, padded to the length of its answer: a shorter one is dropped.
        {"send": {"hex": "06 01 00*6 <id:4> 00*16"}},
        {"expect": {"hex": "?? 02 ??*14 <id>", "length": 28}},
    ],
    sends="the null request, 28 bytes, with a random sequence number",
    healthy="an answer to that request",
    proves="chronyd is there and takes commands from this source; by itself it takes them on loopback alone",
    logs="nothing",
    programs="chronyd",
    tell=lambda said, _: f"chronyd answers in version {said[0]} of its protocol",
)
