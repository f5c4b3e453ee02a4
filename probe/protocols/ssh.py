"""SSH (RFC 4253, section 4.2): both sides say who they are before anything else."""

from __future__ import annotations

from probe.protocols.named import Named

SSH = Named(
    port=22,
    verified="OpenSSH 9.2p1",
    tcp=[
        # A server that is left without a word writes a line into its log.
        {"send": r"SSH-2.0-portcheck\r\n"},
        # What we said ourselves is an echo.
        {"expect": {"text": "SSH-", "regex": r"(?!SSH-2\.0-portcheck)[^\n]+\n"}, "within": 10},
    ],
    sends="an identification, `SSH-2.0-portcheck`",
    healthy="an identification, `SSH-2.0-…` or `SSH-1.99-…`",
    proves="an SSH server is there; no key is exchanged, and nobody logs in",
    logs="OpenSSH: one line, `Connection closed by … [preauth]`",
    programs="sshd sshd-session dropbear systemd",
    tell=lambda said, _: f"SSH server {said.decode('latin-1').strip()!r}",
)
