"""Keys as PEM text that the `openssl` command reads and writes: PKCS#8 for private keys, SubjectPublicKeyInfo for public ones.

Errors are `InvalidCall`: a key text comes from the operator's own files. The fact `reason` says which of these it was:
`too_large`; `not_pem`; `label_unexpected` (a private key for a public one, or an older format such as EC PRIVATE KEY);
`not_one_key`; `passphrase_needed`; `not_encrypted`; `passphrase_or_content_wrong`; `key_type_unsupported`; `point_invalid`.

Encrypted keys are written with PBKDF2-HMAC-SHA256 at 2,048 rounds, which is what openssl writes by default and little against
guessing: the passphrase should be random. Keys that `openssl pkcs8` encrypts with more rounds or with scrypt are read too.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as _LibraryEd25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from act.errors import InvalidCall, Refused
from act.keys.key_pair import KeyPair
from act.keys.public_key import Ed25519PublicKey, P256PublicKey, PublicKey

__all__ = ["PEM_SIZE_LIMIT", "parse_private_pem", "parse_public_pem", "private_pem"]

PEM_SIZE_LIMIT: Final = 16 * 1024
"""Bytes a key text may have; an encrypted P-256 key with openssl's explanatory text has under 2,000."""

_BEGIN: Final = re.compile(r"^-----BEGIN ([A-Z0-9 ]+)-----\s*$", re.MULTILINE)
_PRIVATE, _ENCRYPTED, _PUBLIC = "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY"


def private_pem(key: KeyPair, passphrase: bytes | None = None) -> str:
    """The secret key as PEM text, PKCS#8, ending in a newline; encrypted (PBES2, AES-256) if there is a passphrase.

    Raises InvalidCall: `call_invalid` for an empty passphrase or one longer than openssl can read back (1,023 bytes).
    """
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        if type(passphrase) is not bytes or not 0 < len(passphrase) <= 1023:
            raise InvalidCall("call_invalid", "passphrase")
        encryption = BestAvailableEncryption(passphrase)
    return key.pkcs8_pem(encryption)


def parse_public_pem(text: str, where: str = "") -> PublicKey:
    """The one public key (Ed25519 or P-256) in a PEM text. Text around the block, as openssl may write it, is ignored.

    A P-256 point may be compressed here, as openssl can write it; inside the library and in tokens it is always uncompressed.
    Raises InvalidCall: `key_unusable` at `where`, with the fact `reason`; a private key is not taken for a public one.
    """
    _label(text, where, {_PUBLIC})
    try:
        key = load_pem_public_key(text.encode("ascii"))
    except UnsupportedAlgorithm:
        raise _unusable(where, "key_type_unsupported") from None
    except ValueError:
        raise _unusable(where, "not_pem") from None
    try:
        if isinstance(key, _LibraryEd25519PublicKey):
            return Ed25519PublicKey.from_raw(key.public_bytes_raw())
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            return P256PublicKey.from_raw(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    except Refused:
        raise _unusable(where, "point_invalid") from None
    raise _unusable(where, "key_type_unsupported")


def parse_private_pem(text: str, passphrase: bytes | None = None, where: str = "") -> KeyPair:
    """The one private key (Ed25519 or P-256) in a PKCS#8 PEM text. Text around the block is ignored.

    A passphrase for a key that is not encrypted is an error too: whoever gives one believes that the file is protected.
    Raises InvalidCall: `key_unusable` at `where`, with the fact `reason`.
    """
    label = _label(text, where, {_PRIVATE, _ENCRYPTED})
    if label == _ENCRYPTED and not passphrase:
        raise _unusable(where, "passphrase_needed")
    if label == _PRIVATE and passphrase is not None:
        raise _unusable(where, "not_encrypted")
    try:
        key = load_pem_private_key(text.encode("ascii"), passphrase)
    except UnsupportedAlgorithm:
        raise _unusable(where, "key_type_unsupported") from None
    except (ValueError, TypeError):
        # With a wrong passphrase the decrypted bytes are noise: the two causes cannot be told apart.
        raise _unusable(where, "passphrase_or_content_wrong" if label == _ENCRYPTED else "not_pem") from None
    if isinstance(key, Ed25519PrivateKey):
        return KeyPair(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return KeyPair(key)
    raise _unusable(where, "key_type_unsupported")


def _label(text: str, where: str, allowed: set[str]) -> str:
    """The label of the one PEM block in `text`: two blocks would leave open which key was meant."""
    if len(text) > PEM_SIZE_LIMIT:
        raise _unusable(where, "too_large")
    labels = _BEGIN.findall(text) if text.isascii() else []
    if not labels:
        raise _unusable(where, "not_pem")
    if not allowed.issuperset(labels):
        raise _unusable(where, "label_unexpected")
    if len(labels) != 1:
        raise _unusable(where, "not_one_key")
    return str(labels[0])


def _unusable(where: str, reason: str) -> InvalidCall:
    return InvalidCall("key_unusable", where, reason=reason)
