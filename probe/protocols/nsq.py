"""NSQ (https://nsq.io/clients/tcp_protocol_spec.html): nsqd and nsqlookupd, over TCP."""

from __future__ import annotations

from probe.protocols.named import Named

NSQD = Named(
    port=4150,
    tcp=[
        {"send": {"hex": "20205632 4944454e54494659 0a 00000002 7b7d"}},
        {"expect": {"hex": "00000006 00000000 4f4b"}},
    ],
    sends="the magic of version 2, and `IDENTIFY` without a word about ourselves",
    healthy="`OK`, in a frame",
    proves="nsqd is there; no channel is subscribed to",
    logs="three lines: the client, its protocol, its end",
    programs="nsqd",
    tell=lambda _, __: "nsqd says OK",
)
NSQLOOKUPD = Named(
    port=4160,
    tcp=[
        {"send": r"  V1PING\n"},
        {"expect": {"hex": "00000002 4f4b"}},
    ],
    sends="the magic of version 1, and `PING`",
    healthy="`OK`, with its length",
    proves="nsqlookupd is there, for nsqd to register with",
    logs="three lines: the client, its protocol, its end",
    programs="nsqlookupd",
    tell=lambda _, __: "nsqlookupd says OK",
)
