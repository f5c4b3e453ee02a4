"""What `portcheck pki` makes, and what it says when it cannot."""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from probe.cli.main import main
from probe.coordinator import pki, selfsigned
from probe.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", bound=x509.ExtensionType)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.init(tmp_path / "pki")
    return tmp_path / "pki"


def certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def extension(certificate: x509.Certificate, kind: type[T]) -> T:
    return certificate.extensions.get_extension_for_class(kind).value


def says(action, *arguments, **options) -> str:
    with pytest.raises(UserError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- What is made ---


def test_init_makes_a_ca_that_can_issue_only_leaves(folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem", "coordinator.pem"]
    assert (mode(folder), mode(folder / "ca.key"), mode(folder / "ca.pem")) == (0o700, 0o600, 0o644)
    (ca,) = certificates(folder / "ca.pem")
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)
    ca.verify_directly_issued_by(ca)
    lifetime = ca.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=3649) < lifetime <= timedelta(days=3650)


def test_the_coordinator_connects_and_agents_serve(folder: Path):
    pki.issue(folder, "web1")
    (ca,) = certificates(folder / "ca.pem")
    for name, purpose in (
        ("coordinator", ExtendedKeyUsageOID.CLIENT_AUTH),
        ("web1", ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        own, authority = certificates(folder / f"{name}.pem")
        assert authority == ca
        own.verify_directly_issued_by(ca)
        assert list(extension(own, x509.ExtendedKeyUsage)) == [purpose]
        assert extension(own, x509.BasicConstraints).ca is False
        key = load_pem_private_key((folder / f"{name}.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        assert key.public_key() == own.public_key()
        now = datetime.now(UTC)
        assert timedelta(minutes=59) < now - own.not_valid_before_utc < timedelta(minutes=61)
        assert timedelta(days=396) < own.not_valid_after_utc - now <= timedelta(days=397)
        assert mode(folder / f"{name}.pem") == 0o600


def test_a_certificate_is_made_out_to_its_name_and_addresses(folder: Path):
    made = pki.issue(folder, "web_1.dc-2", ["10.0.0.1", "fd00::1", "Web1.example", "10.0.0.1"])
    names = extension(certificates(made.path)[0], x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["web_1.dc-2", "Web1.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.1"), ip_address("fd00::1")]
    # An inventory may call a host by its address.
    made = pki.issue(folder, "10.0.0.7")
    assert made.path.name == "10.0.0.7.pem"
    names = extension(certificates(made.path)[0], x509.SubjectAlternativeName)
    assert list(names) == [x509.IPAddress(ip_address("10.0.0.7"))]


def test_a_name_longer_than_a_common_name_may_be(folder: Path):
    name = ".".join(["a" * 60, "b" * 60])
    made = pki.issue(folder, name)
    assert made.names == (name,)


def test_each_ca_has_a_name_of_its_own(tmp_path: Path):
    for name in ("one", "two"):
        pki.init(tmp_path / name)
    one, two = (certificates(tmp_path / name / "ca.pem")[0].subject for name in ("one", "two"))
    assert one != two


def test_nothing_outlives_the_ca(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pki, "CA_LIFE", timedelta(days=10))
    pki.init(folder, force=True)
    made = pki.issue(folder, "web1")
    assert made.until == certificates(folder / "ca.pem")[0].not_valid_after_utc


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_umask_neither_opens_a_key_nor_locks_us_out(folder: Path, umask: int):
    before = os.umask(umask)
    try:
        made = pki.issue(folder, "web1")
    finally:
        os.umask(before)
    assert mode(made.path) == 0o600


# --- Nothing is overwritten ---


def test_an_identity_is_replaced_only_by_force(folder: Path):
    first = pki.issue(folder, "web1").path.read_bytes()
    assert "web1.pem: is there already, and is never overwritten without --force" in says(pki.issue, folder, "web1")
    assert (folder / "web1.pem").read_bytes() == first
    assert pki.issue(folder, "web1", force=True).path.read_bytes() != first
    assert mode(folder / "web1.pem") == 0o600
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_link_is_not_followed(folder: Path, tmp_path: Path):
    (folder / "web1.pem").symlink_to(tmp_path / "elsewhere")
    assert "is there already" in says(pki.issue, folder, "web1")
    pki.issue(folder, "web1", force=True)
    assert not (folder / "web1.pem").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_init_twice_keeps_the_ca_and_renews_what_was_removed(folder: Path):
    ca = (folder / "ca.pem").read_bytes()
    text = says(pki.init, folder)
    assert "a CA is there already" in text
    assert f"remove {folder / 'coordinator.pem'}" in text
    (folder / "coordinator.pem").unlink()
    (made,) = pki.init(folder)
    assert made.path.name == "coordinator.pem"
    assert (folder / "ca.pem").read_bytes() == ca
    pki.init(folder, force=True)
    assert (folder / "ca.pem").read_bytes() != ca


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "web1.pem: No space left on device" in says(pki.issue, folder, "web1")
    assert not (folder / "web1.pem").exists()


# --- What cannot be done ---


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "../x",
        ".",
        "..",
        ".hidden",
        "-x",
        "a b",
        "a\nb",
        "*",
        "*.x",
        "ä",
        "a..b",
        "a" * 64,
        "10.0.0.300",
        "x:1",
        "fe80::1%1",
    ],
)
def test_a_name_that_cannot_be_one(folder: Path, name: str):
    text = says(pki.issue, folder, name)
    assert "cannot be an agent's name" in text
    assert "\n" not in text
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("name", ["ca", "coordinator", "CA"])
def test_a_reserved_name(folder: Path, name: str):
    assert "are made by `portcheck pki init`" in says(pki.issue, folder, name, force=True)


def test_an_empty_name(folder: Path):
    assert "name is empty" in says(pki.issue, folder, "")


@pytest.mark.parametrize(
    "address", ["", "10.0.0.0/8", "10.0.0.1:7743", "256.1.1.1", "https://x", "*.example", "fe80::1%eth0"]
)
def test_an_address_that_is_none(folder: Path, address: str):
    assert "is neither an IP address nor a DNS name" in says(pki.issue, folder, "web1", [address])


def test_a_folder_without_a_ca(folder: Path, tmp_path: Path):
    assert f"{tmp_path / 'no'}: there is no such directory" in says(pki.issue, tmp_path / "no", "web1")
    assert "there is no such directory" in says(pki.init, tmp_path / "no" / "where")
    (tmp_path / "file").write_text("")
    assert "is a file, not a directory" in says(pki.init, tmp_path / "file")
    assert "is a file, not a directory" in says(pki.init, tmp_path / "file" / "pki")
    assert "there is no CA in it" in says(pki.issue, tmp_path, "web1")
    (folder / "ca.key").unlink()
    assert "ca.key: this part of the CA is not there" in says(pki.issue, folder, "web1")
    (folder / "coordinator.pem").unlink()
    assert "ca.key: this part of the CA is not there" in says(pki.init, folder)


def test_a_coordinator_without_a_ca(folder: Path):
    (folder / "ca.pem").unlink()
    (folder / "ca.key").unlink()
    assert "coordinator.pem: is there already, but its CA is not" in says(pki.init, folder)
    assert [path.name for path in folder.iterdir()] == ["coordinator.pem"]


def test_a_ca_that_is_broken(folder: Path, tmp_path: Path):
    pki.init(tmp_path / "other")
    ca, key = (folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()

    def broken(path: Path, content: bytes) -> str:
        before = path.read_bytes()
        path.write_bytes(content)
        text = says(pki.issue, folder, "web1")
        path.write_bytes(before)
        return text

    assert "ca.pem: this is no certificate" in broken(folder / "ca.pem", b"\x00 rubbish")
    assert "ca.pem: this is no certificate" in broken(folder / "ca.pem", ca[:-60])
    assert "ca.key: this is no private key" in broken(folder / "ca.key", key[:-60])
    assert "ca.key: this is not the key of" in broken(folder / "ca.key", (tmp_path / "other/ca.key").read_bytes())
    made = pki.issue(folder, "leaf").path.read_bytes()
    (folder / "ca.key").write_bytes(made)
    assert "is not the certificate of a CA" in broken(folder / "ca.pem", made[made.index(b"-----BEGIN CERT") :])
    (folder / "ca.key").chmod(0o640)
    assert "chmod 600" in says(pki.issue, folder, "web1")


@pytest.mark.parametrize(("days", "message"), [(-3700, "ca.pem: the CA expired on 20"), (2, "valid only from 20")])
def test_a_ca_of_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, message: str):
    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    with monkeypatch.context() as patched:
        patched.setattr(pki, "datetime", Shifted)
        pki.init(tmp_path / "pki")
    assert message in says(pki.issue, tmp_path / "pki", "web1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_we_may_not_write(folder: Path):
    folder.chmod(0o500)
    assert "permission denied" in says(pki.issue, folder, "web1")


# --- The command ---


def test_the_command_from_init_to_issue(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    place = str(tmp_path / "pki")
    assert main(["pki", "init", "--dir", place]) == 0
    text = capsys.readouterr().out
    assert "ca.pem" in text
    assert f"run --identity {place}/coordinator.pem; valid until " in text
    assert main(["pki", "issue", "--dir", place, "web1", "--address", "10.0.0.1", "--days", "30"]) == 0
    until = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    assert f"web1.pem  made out to web1, 10.0.0.1; valid until {until}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["issue", "web1"], "--dir"),
        (["issue", "--dir", "nowhere", "web1"], "nowhere: there is no such directory"),
        (["issue", "--dir", "nowhere", "web1", "--days", "0"], "'0' is no number of days from 1 to 3650"),
        (["issue", "--dir", "nowhere", "web1", "--days", "x"], "'x' is no number of days"),
        (["revoke", "--dir", "nowhere", "web1"], "invalid choice: 'revoke'"),
        ([], "ACTION"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
):
    monkeypatch.chdir(tmp_path)
    assert main(["pki", *arguments]) == 4
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


# --- Stand-ins ---


def test_a_certificate_for_stand_ins(tmp_path: Path):
    made = selfsigned.make()
    der = ssl.PEM_cert_to_DER_cert(made.certificate_pem.decode())
    assert made.fingerprint == hashlib.sha256(der).hexdigest()
    assert selfsigned.make().fingerprint != made.fingerprint
    (certificate,) = x509.load_pem_x509_certificates(made.certificate_pem)
    assert certificate.subject.rfc4514_string() == "CN=portcheck-stand-in"
    assert extension(certificate, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == [
        "portcheck-stand-in"
    ]
    path = tmp_path / "stand-in.pem"
    path.write_bytes(made.key_pem + made.certificate_pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_a_certificate_for_stand_ins_is_quick():
    best = min(_seconds(selfsigned.make) for _ in range(10))
    assert best < 0.005


def _seconds(action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
