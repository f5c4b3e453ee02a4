"""SMTP (RFC 5321): the greeting, and a polite end."""

from __future__ import annotations

from probe.protocols.named import Named

SMTP = Named(
    port=25,
    verified="Exim 4.96",
    tcp=[
        # Some let a client wait, to see whether it can.
        {
            "expect": {"text": "220", "regex": r"(?:220-[^\n]*\n)*220[ \r][^\n]*\n?"},
            "unhealthy": ["421", "554", "521"],
            "within": 15,
        },
        {"send": r"QUIT\r\n"},
        {"expect": "221"},
    ],
    sends="after the greeting `QUIT`; no mail is begun",
    healthy="a greeting, `220 …`, and `221` at the end",
    proves="a mail server is there and serves this source; `421`, `521` and `554` are unhealthy",
    logs="Exim: nothing; others: the connection and its end",
    programs="master smtpd exim4 exim sendmail sendmail-mta opensmtpd postscreen",
    tell=lambda _, __: "SMTP greeting, and farewell",
)
