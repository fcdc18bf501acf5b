"""The closed table of algorithms, and the protocol every signer meets."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol

from act.errors import Refused

__all__ = ["SIGNATURE_SIZE", "Algorithm", "BadSignature", "Signer"]

SIGNATURE_SIZE: Final = 64
"""Bytes in a signature of every algorithm of the table: R || S for Ed25519 (RFC 8032), r || s for ES256 (RFC 7518 3.4)."""


class Algorithm(Enum):
    """A signature algorithm. The value is its name; `Algorithm("Ed25519")` finds it.

    The table holds fully specified algorithms only (RFC 9864): the name alone fixes curve and hash. COSE -8 (EdDSA) and -7
    (ES256 on any curve), `none` and every MAC are absent on purpose, so nothing can select them.
    """

    ED25519 = "Ed25519"
    ES256 = "ES256"

    def __init__(self, name: str) -> None:
        self.cose: Final = {"Ed25519": -19, "ES256": -9}[name]
        """The COSE algorithm number: -19 is Ed25519, -9 is ESP256."""
        self.jose: Final = name
        """The JOSE algorithm name."""

    @classmethod
    def from_cose(cls, value: object, where: str) -> Algorithm:
        """The algorithm with this COSE number.

        Raises Refused: `algorithm_not_allowed` (ACT-ENV-03) for whatever is not exactly an integer of the table.
        """
        # Exactly int: a float or a bool can equal an integer and would find its row.
        found = _BY_COSE.get(value) if type(value) is int else None
        if found is None:
            raise Refused("algorithm_not_allowed", where)
        return found

    @classmethod
    def from_jose(cls, value: object, where: str) -> Algorithm:
        """The algorithm with this JOSE name; `EdDSA` is Ed25519, the only curve of it that a key here can have.

        Raises Refused: `algorithm_not_allowed` (ACT-ENV-03) for every other value, `none` and the MACs among them.
        """
        found = _BY_JOSE.get(value) if type(value) is str else None
        if found is None:
            raise Refused("algorithm_not_allowed", where)
        return found


_BY_COSE: Final = MappingProxyType({algorithm.cose: algorithm for algorithm in Algorithm})
_BY_JOSE: Final = MappingProxyType({algorithm.jose: algorithm for algorithm in Algorithm} | {"EdDSA": Algorithm.ED25519})


class BadSignature(Exception):
    """The signature is not this key's signature of this message.

    Deliberately outside the table of refusals: a key does not know whether it checked a mandate, an order or a request, and
    each of them has its own code. Whoever asked for the check catches this and raises the `Refused` that names the object; it
    never leaves the library.
    """


class Signer(Protocol):
    """Somebody who can sign: a `KeyPair`, or an adapter to a KMS, an HSM or a phone.

    Exactly three members, because that is all a remote key can be asked for. A signer is used from several threads.
    """

    @property
    def alg(self) -> Algorithm:
        """The algorithm of the key."""
        ...

    @property
    def kid(self) -> bytes:
        """The 32-byte COSE key thumbprint (RFC 9679, SHA-256) of the public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte raw signature of `message`: never DER, and for ES256 preferably with low S."""
        ...
