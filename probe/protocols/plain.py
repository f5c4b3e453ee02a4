"""The protocols that name no service: what is asked is in their probers, and in the keys of a row."""

from __future__ import annotations

from probe.protocols.named import Named

_TLS = "a complete TLS handshake"
_REQUEST = "`GET /`, or what `path` and `http` of the row say"
_STATUS = "a status below 500 but 400, or one of `status`; 503 is unhealthy; `http` may demand more"
_NGINX = "nginx 1.22.1"
_LOGGED = "where requests are logged, one line"

PLAIN: dict[str, Named] = {
    "tcp": Named(
        verified="most of the servers below",
        sends="nothing",
        healthy="the connection is made",
        proves="the way is free and something listens; not which service",
        logs="many: a connection that ended without a word; OpenSSH: `Connection closed by …`",
    ),
    "udp": Named(
        sends="one byte",
        healthy="any answer; silence is `inconclusive`",
        proves="the way is free and something answers; not which service",
        logs="some: a datagram that they do not understand",
    ),
    "tls": Named(
        verified=_NGINX,
        sends=_TLS,
        healthy="a session, and what `tls` of the row demands",
        proves="something speaks TLS there; nothing is sent inside it",
        logs="some: a client that left without a request",
    ),
    "http": Named(
        verified=f"{_NGINX}, HAProxy 2.6.12",
        sends=_REQUEST,
        healthy=_STATUS,
        proves="a web server answers; which, where `http` says so",
        logs=_LOGGED,
    ),
    "https": Named(
        verified=_NGINX,
        sends=f"{_TLS}, and inside it {_REQUEST}",
        healthy=f"{_STATUS}, and `tls` what it demands",
        proves="a web server answers behind TLS; which, where `http` says so",
        logs=_LOGGED,
    ),
    "http-or-https": Named(
        verified=_NGINX,
        sends="what `https` sends, and where that is not spoken what `http` sends",
        healthy=_STATUS,
        proves="a web server answers; the report says in which of the two",
        logs=f"{_LOGGED}, and some one for the handshake that they did not expect",
    ),
}
