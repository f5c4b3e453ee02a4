"""What a matrix keeps elsewhere, read once; and what is said where it is not there."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from probe.coordinator.secrets import Secrets
from probe.errors import UserError
from probe.model.check import Check
from probe.model.http import HttpDemand, HttpTerms, Method
from probe.model.ports import PortSet
from probe.model.secret import Secret, SecretSource, without
from probe.model.tls import TlsDemand, TlsTerms
from probe.model.words import Expect, Policy, Protocol, Transport

if TYPE_CHECKING:
    from pathlib import Path


def check(http: HttpDemand | None = None, tls: TlsDemand | None = None) -> Check:
    return Check(
        id="c",
        source="a",
        source_role="web",
        target="b",
        target_role="db",
        address="192.0.2.1",
        transport=Transport.TCP,
        ports=PortSet.parse("443"),
        protocol=Protocol.HTTPS,
        service="api",
        matrix="shop",
        rule="flows[0]",
        expect=Expect.REACH,
        policy=Policy.ENFORCE,
        http=http,
        tls=tls,
    )


def http_terms(demand: HttpDemand) -> HttpTerms:
    return Secrets([check(http=demand)]).http(demand)


def test_what_is_not_demanded() -> None:
    assert Secrets([check()]).http(None) == HttpTerms()
    assert Secrets([check()]).tls(None) == TlsTerms()


def test_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEY", "k")
    (tmp_path / "login").write_text("user:pass:word\n")
    demand = HttpDemand(
        method=Method.HEAD,
        host="a.example",
        headers=(("Accept", "text/plain"), ("X-Key", SecretSource(env="KEY"))),
        basic=SecretSource(file=str(tmp_path / "login")),
        text="a",
        regex="b",
        redirects=3,
    )
    assert http_terms(demand) == HttpTerms(
        method=Method.HEAD,
        host="a.example",
        headers=(("Accept", "text/plain"),),
        secret_headers=(
            ("X-Key", Secret(b"k")),
            ("Authorization", Secret(b"Basic " + base64.b64encode(b"user:pass:word"))),
        ),
        text="a",
        regex="b",
        redirects=3,
    )


def test_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    terms = http_terms(HttpDemand(bearer=SecretSource(env="TOKEN")))
    assert terms.secret_headers == (("Authorization", Secret(b"Bearer abc")),)


@pytest.mark.parametrize("value", ["", "\n", "a\nb", "a\r\nX: b", "é", "a\tb", "\x00", "x" * 20_000], ids=repr)
def test_what_no_header_can_have(value: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(value)
    with pytest.raises(UserError, match="is empty, or is not one line of printable ASCII"):
        http_terms(HttpDemand(bearer=SecretSource(file=str(tmp_path / "token"))))


def test_everything_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    monkeypatch.setenv("LOGIN", "no-colon-in-it")
    (tmp_path / "ca.pem").write_text("no PEM")
    checks = [
        check(http=HttpDemand(bearer=SecretSource(env="TOKEN"))),
        check(http=HttpDemand(bearer=SecretSource(env="TOKEN"))),
        check(http=HttpDemand(basic=SecretSource(env="LOGIN"))),
        check(tls=TlsDemand(certificate=str(tmp_path / "none.pem"))),
        check(tls=TlsDemand(trust=True, ca=str(tmp_path / "ca.pem"))),
        check(tls=TlsDemand(certificate=str(tmp_path))),
    ]
    with pytest.raises(UserError) as caught:
        Secrets(checks)
    said = str(caught.value)
    assert said.count("environment variable TOKEN is not set") == 1
    assert "environment variable LOGIN has no user:password" in said
    assert "none.pem cannot be read: No such file or directory" in said
    assert "ca.pem: the roots or the client certificate cannot be used" in said
    assert "cannot be read: Is a directory" in said
    with pytest.raises(UserError, match=r"none\.pem cannot be read: .*\n  hint: a relative path counts from"):
        Secrets([check(tls=TlsDemand(certificate="none.pem"))])
    assert said.count("service 'api' of matrix 'shop': ") == 5
    assert "no-colon-in-it" not in said


def test_an_identity(authority: Any, tmp_path: Path) -> None:
    pem = authority.issue("client", file="both").read_bytes()
    key, _, certificate = pem.partition(b"-----BEGIN CERTIFICATE-----")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(b"-----BEGIN CERTIFICATE-----" + certificate)
    for demand in (
        TlsDemand(certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"), server_name="a", name=True),
        TlsDemand(certificate=str(authority.folder / "both.pem"), server_name="a", name=True),
    ):
        terms = Secrets([check(tls=demand)]).tls(demand)
        assert (terms.server_name, terms.name, terms.trust, bool(terms.identity)) == ("a", True, False, True)
    with pytest.raises(UserError, match="cannot be used"):
        Secrets([check(tls=TlsDemand(certificate=str(tmp_path / "cert.pem")))])


def test_a_key_with_a_password_asks_nobody(tmp_path: Path, authority: Any) -> None:
    from cryptography.hazmat.primitives import serialization

    encrypted = authority.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hidden"),
    )
    (tmp_path / "locked.pem").write_bytes(encrypted + authority.root.read_bytes())
    with pytest.raises(UserError, match="the private key is encrypted"):
        Secrets([check(tls=TlsDemand(certificate=str(tmp_path / "locked.pem")))])


@pytest.mark.parametrize(
    "shown", [str, repr, format, lambda secret: str([secret])], ids=["str", "repr", "format", "in"]
)
def test_a_secret_does_not_print(shown: Any) -> None:
    assert "hidden" not in shown(Secret(b"hidden"))
    assert "hidden" not in shown(TlsTerms(identity=Secret(b"hidden")))


def test_words_without_secrets() -> None:
    assert without("it is hidden, and Hiddenly so", [b"hidden", b"it"]) == "it is …, and …ly so"
