"""What each source is told of where to go and how: the terms of its walks, and one aim for each errand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from probe.coordinator.secrets import Secrets
from probe.model.http import HttpTerms
from probe.model.observation import PortUse
from probe.model.tls import TlsTerms
from probe.wire.challenge import KEY_SIZE, pair_key
from probe.wire.messages import Aim, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from probe.coordinator.pieces import Errand
    from probe.coordinator.run import Terms
    from probe.coordinator.selfsigned import SelfSigned
    from probe.model.check import Check
    from probe.model.inventory import Host


class Aiming:
    """Of one run. `numbers` are those of its hosts, from 1; `keys` those of its targets, which no other knows."""

    def __init__(self, terms: Terms, hosts: Mapping[str, Host]) -> None:
        self._terms = terms
        self._hosts = hosts
        self.numbers = {name: number for number, name in enumerate(hosts, 1)}
        self.keys = {name: os.urandom(KEY_SIZE) for name in hosts}
        self._secrets = Secrets(())
        self._certificate: SelfSigned | None = None

    def read_secrets(self, checks: Iterable[Check]) -> None:
        """Those that these checks need; raises UserError for one that is not where the matrix says."""
        self._secrets = Secrets(checks)

    def certificate(self) -> SelfSigned:
        """That of all stand-ins of this run."""
        if self._certificate is None:
            from probe.coordinator.selfsigned import make

            self._certificate = make("portcheck-stand-in")
        return self._certificate

    def bare_walk(self, source: str) -> Walk:
        """How this source walks, without where to."""
        return Walk(
            id=0,
            number=self.numbers[source],
            aims=(),
            bind=_own_loopback(self._hosts[source]),
            rate=self._terms.rate,
            timeout=self._terms.timeout,
            seed=self._terms.seed + self.numbers[source],
        )

    def aim(self, task: int, errand: Errand, source: str) -> Aim:
        check, number = errand.check, self.numbers[source]
        stand_in = errand.view.use is PortUse.STAND_IN
        certificate = self._certificate if stand_in and check.protocol.may_be_tls else None
        return Aim(
            task=task,
            target=self.numbers[check.target],
            address=check.address,
            ports=str(errand.ports),
            protocol=check.protocol,
            key=pair_key(self.keys[check.target], number) if stand_in else b"",
            path=check.path,
            http=HttpTerms() if stand_in else self._secrets.http(check.http),
            tls=TlsTerms() if stand_in else self._secrets.tls(check.tls),
            fingerprint=certificate.fingerprint if certificate else "",
            dialogue=None if stand_in else check.dialogue,
        )


def _own_loopback(host: Host) -> str:
    """A source with a loopback address shares its machine with others and must say which of them it is; elsewhere the
    kernel chooses, as it will for the real application.
    """
    first = host.addresses[0] if host.addresses else ""
    return first if first.startswith("127.") else ""
