"""LDAP (RFC 4511): the root of a server's directory, which says what it can do, is open to everybody (RFC 4512)."""

from __future__ import annotations

from probe.protocols.named import Named, Steps

_FILTER = "870b 6f626a656374436c617373"  # (objectClass=*)
_WANTED = "3016 0414 737570706f727465644c44415056657273696f6e"  # supportedLDAPVersion
_SEARCH = f"0400 0a0100 0a0100 020101 020105 010100 {_FILTER} {_WANTED}"
_MESSAGE = "0203 02 <id:2>"
_SIZES = ("??", "81 ??", "82 ????", "84 ????????")
_LENGTH = 54
_BUSY = (33, 34)  # busy (51), unavailable (52)
_STEPS: Steps = [
    {"send": {"hex": f"30 {_LENGTH + 7:02x} {_MESSAGE} 63 {_LENGTH:02x} {_SEARCH}"}},
    {
        "expect": [{"hex": f"30 {size} 0203 02 <id> 6{kind}"} for size in _SIZES for kind in "45"],
        # busy, unavailable
        "unhealthy": [{"hex": f"30 {size} 0203 02 <id> 65 ?? 0a 01 {code}"} for size in _SIZES for code in _BUSY],
    },
    {"send": {"hex": "30 07 0203 02 <id> 4200"}},
]

LDAP = Named(
    port=389,
    verified="OpenLDAP 2.5.13",
    tcp=_STEPS,
    sends="a search for the root's `supportedLDAPVersion`, with a random message id; then unbind",
    healthy="an entry or a result with that id, even one that refuses the search",
    proves="a directory server is there and reads requests; nobody binds",
    logs="slapd: nothing, or the connection where it logs those",
    programs="slapd ns-slapd dirsrv samba lsass DirectoryServer",
    tell=lambda _, __: "LDAP answer",
)
LDAPS = Named(
    port=636,
    verified="OpenLDAP 2.5.13",
    tcp=[{"tls": True}, *_STEPS],
    sends="a complete TLS handshake, and inside it what `ldap` sends",
    healthy="what `ldap` wants",
    proves="a directory server is there behind TLS",
    logs=LDAP.logs,
    programs=LDAP.programs,
    tell=LDAP.tell,
)
