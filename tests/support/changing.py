"""Parties that change while a payment service runs."""

from __future__ import annotations

from act.parties import EnrolledKey, Parties, Role


class ChangingParties:
    """Parties that a step can exchange, as a reload would."""

    def __init__(self, now: Parties) -> None:
        self.now = now

    @property
    def version(self) -> int:
        """The version of what is known now."""
        return self.now.version

    @property
    def expires_at(self) -> int:
        """The end of what is known now."""
        return self.now.expires_at

    def find(self, kid: bytes, role: Role, at: int) -> EnrolledKey:
        """Ask what is known now."""
        return self.now.find(kid, role, at)
