"""Kafka (https://kafka.apache.org/protocol.html): which versions of which requests a broker knows; clients begin so."""

from __future__ import annotations

from probe.protocols.named import Named

KAFKA = Named(
    port=9092,
    tcp=[
        # ApiVersions (18), version 0, from the client `portcheck`.
        {"send": {"hex": "00000013 0012 0000 <id:4> 0009 706f7274636865636b"}},
        {"expect": {"hex": "0000 ???? <id> 00??"}},
    ],
    sends="ApiVersions, with a random correlation id",
    healthy="an answer with that id",
    proves="a Kafka broker or controller is there and reads requests; no topic is asked for",
    logs="nothing at the default level",
    programs="Kafka",
    tell=lambda _, __: "Kafka answer to ApiVersions",
)
