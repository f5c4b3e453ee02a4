"""AMQP 0-9-1 (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.2), and who answers in AMQP 1.0."""

from __future__ import annotations

from probe.protocols.named import Named

AMQP = Named(
    port=5672,
    verified="RabbitMQ 3.10.8",
    tcp=[
        {"send": {"hex": "414d5150 00000901"}},
        # Connection.Start, or the header of the version that the server prefers.
        {
            "expect": [
                {"hex": "01 0000 ???????? 000a 000a"},
                {"text": "AMQP", "regex": r"AMQP(?!\x00\x00\t\x01)", "length": 8},
            ]
        },
    ],
    sends="the protocol header of AMQP 0-9-1",
    healthy="`Connection.Start`, or the header of another version",
    proves="an AMQP broker is there; nobody logs in",
    logs="RabbitMQ: the connection, and that it ended during the handshake",
    programs="rabbit qpidd Artemis",
    tell=lambda said, _: "AMQP header of another version" if said.startswith(b"AMQP") else "AMQP Connection.Start",
)
