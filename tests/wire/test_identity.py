"""Real TLS over loopback: who is let in, who is not, and what is said of a file that cannot be used."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from probe.coordinator import pki
from probe.wire import identity
from probe.wire.identity import Identity, IdentityError

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 5


def clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """Let the PKI believe that it is another day."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + ahead

    monkeypatch.setattr(pki, "datetime", Shifted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki") / "ours"
    pki.init(folder)
    pki.issue(folder, "web1", ["127.0.0.1"])
    pki.issue(folder, "web2")
    return folder


def unchecked(path: Path, *, serves: bool) -> Identity:
    """What `load` would refuse or call by its name: a peer that does not ask itself whether it may."""
    authority = "-----BEGIN" + path.read_text().split("-----BEGIN")[-1]
    return Identity(path=str(path), authority=authority, names=(), serves=serves, expires=0)


def meet(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "web1") -> tuple[str, str]:
    """What each side came to: `heard …`, or why it gave up."""
    outcome = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                connection.settimeout(SECONDS)
                with connection, server.wrap_socket(connection, server_side=True) as tls:
                    outcome.append(f"heard {tls.recv(100)!r}")
                    tls.sendall(b"observed")
            except OSError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), SECONDS) as connection,
                client.wrap_socket(connection, server_hostname=name) as tls,
            ):
                tls.sendall(b"order")
                said = f"heard {tls.recv(100)!r}"
        except OSError as error:
            said = str(error)
        thread.join(SECONDS)
    return outcome[0], said


def test_the_right_pair_talks_tls_13(folder: Path):
    server = identity.server_context(identity.load(folder / "web1.pem"))
    client = identity.client_context(identity.load(folder / "coordinator.pem"))
    assert meet(server, client) == ("heard b'order'", "heard b'observed'")
    assert meet(server, client, "127.0.0.1") == ("heard b'order'", "heard b'observed'")
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "UNSUPPORTED_PROTOCOL" in meet(server, client)[0]


def test_what_an_identity_says_of_itself(folder: Path):
    agent, coordinator = (identity.load(folder / name) for name in ("web1.pem", "coordinator.pem"))
    assert (agent.names, agent.serves) == (("web1", "127.0.0.1"), True)
    assert (coordinator.names, coordinator.serves) == (("coordinator",), False)
    assert agent.authority == coordinator.authority == (folder / "ca.pem").read_text()
    assert agent.expires == pytest.approx((datetime.now(UTC) + timedelta(days=397)).timestamp(), abs=60)


def test_an_agent_cannot_command_another(folder: Path):
    server = identity.server_context(identity.load(folder / "web1.pem"))
    # Both the context that we would not make for it, and one that an intruder makes with its file.
    client = identity.client_context(unchecked(folder / "web2.pem", serves=False))
    served, said = meet(server, client)
    assert "unsuitable certificate purpose" in served
    assert "heard" not in said
    with pytest.raises(IdentityError, match=r"identity of an agent \(web2\)"):
        identity.client_context(identity.load(folder / "web2.pem"))


def test_the_coordinator_cannot_pose_as_an_agent(folder: Path):
    server = identity.server_context(unchecked(folder / "coordinator.pem", serves=True))
    client = identity.client_context(identity.load(folder / "coordinator.pem"))
    assert "unsuitable certificate purpose" in meet(server, client, "coordinator")[1]
    with pytest.raises(IdentityError, match="this is the coordinator's identity"):
        identity.server_context(identity.load(folder / "coordinator.pem"))


def test_another_ca_is_refused_on_both_sides(folder: Path, tmp_path: Path):
    pki.init(tmp_path / "theirs")
    pki.issue(tmp_path / "theirs", "web1")
    ours = identity.server_context(identity.load(folder / "web1.pem"))
    stranger = identity.client_context(identity.load(tmp_path / "theirs" / "coordinator.pem"))
    assert (
        "certificate verify failed"
        in meet(
            identity.server_context(identity.load(tmp_path / "theirs" / "web1.pem")),
            identity.client_context(identity.load(folder / "coordinator.pem")),
        )[1]
    )
    # The stranger would talk to anybody; the agent does not.
    stranger.check_hostname = False
    stranger.verify_mode = ssl.CERT_NONE
    served, said = meet(ours, stranger)
    assert "certificate verify failed" in served
    assert "heard" not in said


def test_no_client_certificate_is_refused(folder: Path):
    server = identity.server_context(identity.load(folder / "web1.pem"))
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    served, said = meet(server, client)
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in served
    assert "heard" not in said


def test_another_agents_name_is_refused(folder: Path):
    server = identity.server_context(identity.load(folder / "web2.pem"))
    client = identity.client_context(identity.load(folder / "coordinator.pem"))
    assert "Hostname mismatch" in meet(server, client, "web1")[1]
    assert "IP address mismatch" in meet(server, client, "127.0.0.1")[1]


@pytest.mark.parametrize("expired", ["web1", "coordinator"])
def test_an_expired_certificate_is_refused_by_its_owner_and_by_the_peer(
    expired: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock(monkeypatch, timedelta(days=-400))
    pki.init(tmp_path / "pki")
    pki.issue(tmp_path / "pki", "web1")
    paths = {name: tmp_path / "pki" / f"{name}.pem" for name in ("web1", "coordinator")}
    monkeypatch.undo()
    other = "coordinator" if expired == "web1" else "web1"
    paths[other].unlink()
    _ = pki.init(tmp_path / "pki") if other == "coordinator" else pki.issue(tmp_path / "pki", "web1")
    with pytest.raises(
        IdentityError, match=r"the certificate has expired: it was valid until 20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    ):
        identity.load(paths[expired])
    served, said = meet(
        identity.server_context(unchecked(paths["web1"], serves=True)),
        identity.client_context(unchecked(paths["coordinator"], serves=False)),
    )
    assert "certificate has expired" in (said if expired == "web1" else served)
    assert "heard" not in said


def test_a_certificate_of_tomorrow_and_an_expired_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock(monkeypatch, timedelta(days=2))
    pki.init(tmp_path / "tomorrow")
    with pytest.raises(IdentityError, match=r"valid only from .*; this machine's clock says "):
        identity.load(tmp_path / "tomorrow" / "coordinator.pem")
    clock(monkeypatch, timedelta(days=-3700))
    pki.init(tmp_path / "old")
    with pytest.raises(IdentityError, match="the CA's certificate has expired: it was valid until "):
        identity.load(tmp_path / "old" / "coordinator.pem")


def test_health_is_a_handshake_and_no_more(folder: Path):
    mine, other = (identity.load(folder / name) for name in ("web1.pem", "web2.pem"))
    served, said = meet(identity.server_context(mine), identity.health_context(mine), mine.names[0])
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in served
    # The daemon was known for who it is before it refused; another's daemon on this port is not.
    assert "CERTIFICATE_VERIFY_FAILED" not in said
    assert "heard" not in said
    said = meet(identity.server_context(other), identity.health_context(mine), mine.names[0])[1]
    assert "Hostname mismatch" in said


def test_resumption_is_off(folder: Path):
    """Else a session would outlive the certificate that it was opened with."""
    assert identity.server_context(identity.load(folder / "web1.pem")).num_tickets == 0


# --- Files that cannot be used ---


def parts(path: Path) -> tuple[str, str, str]:
    """Key, certificate, CA."""
    key, certificate, authority = ("-----BEGIN" + part for part in path.read_text().split("-----BEGIN")[1:])
    return key, certificate, authority


def refused(path: Path, content: str | bytes, mode: int = 0o600) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    with pytest.raises(IdentityError) as caught:
        identity.load(path)
    text = str(caught.value)
    assert text.startswith(str(path)), text
    return text


def test_a_part_is_missing(folder: Path, tmp_path: Path):
    key, certificate, authority = parts(folder / "web1.pem")
    path = tmp_path / "agent.pem"
    assert "no private key in it" in refused(path, certificate + authority)
    assert "no certificate in it" in refused(path, key)
    assert "no certificate of the CA in it" in refused(path, key + certificate)
    assert "no private key in it" in refused(path, "")
    assert "plain ASCII" in refused(path, b"\xff\x00\x80")
    assert "larger than 64 KiB" in refused(path, "x" * 100_000)


def test_parts_that_do_not_fit(folder: Path, tmp_path: Path):
    key, certificate, authority = parts(folder / "web1.pem")
    other = parts(folder / "web2.pem")
    pki.init(tmp_path / "theirs")
    path = tmp_path / "agent.pem"
    assert "key does not belong to the certificate" in refused(path, other[0] + certificate + authority)
    assert "not from the CA in the same file" in refused(
        path, key + certificate + (tmp_path / "theirs/ca.pem").read_text()
    )
    assert "not that of a CA" in refused(path, key + certificate + certificate)
    assert "the order is key, certificate, CA" in refused(path, key + authority + certificate)
    assert "protected by a passphrase" in refused(
        path, key.replace("PRIVATE", "ENCRYPTED PRIVATE") + certificate + authority
    )


@pytest.mark.parametrize(
    ("part", "message"), [(0, "key or the certificate is damaged"), (1, "damaged"), (2, "CA is damaged")]
)
def test_a_damaged_part(folder: Path, tmp_path: Path, part: int, message: str):
    text = list(parts(folder / "web1.pem"))
    lines = text[part].splitlines(keepends=True)
    text[part] = "".join([lines[0], "AAAA" + lines[1][4:], *lines[2:]])
    assert message in refused(tmp_path / "agent.pem", "".join(text))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(folder: Path, tmp_path: Path, mode: int):
    text = refused(tmp_path / "agent.pem", (folder / "web1.pem").read_text(), mode)
    assert f"mode {mode:04o}" in text
    assert f"chmod 600 {tmp_path / 'agent.pem'}" in text


def test_what_root_hands_over_may_come_through_the_group(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A systemd credential and a Kubernetes secret are root's files of mode 0440."""
    path = tmp_path / "agent.pem"
    path.write_bytes((folder / "web1.pem").read_bytes())
    path.chmod(0o440)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert identity.load(path).serves
    path.chmod(0o444)
    with pytest.raises(IdentityError, match="others may read"):
        identity.load(path)


def test_a_path_that_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, message in (
        (tmp_path / "nowhere.pem", "there is no such file"),
        (tmp_path, "this is a directory"),
        (tmp_path / "pipe", "no ordinary file"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
    ):
        with pytest.raises(IdentityError, match=message):
            identity.load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read(folder: Path, tmp_path: Path):
    assert "cannot be read: Permission denied" in refused(tmp_path / "agent.pem", "x", 0o200)
