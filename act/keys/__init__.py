"""Keys: who can sign, and how a signature is checked. Nothing here decides what a signature is worth.

Two algorithms, fixed by the key and never chosen by a token (rule ACT-ENV-03): Ed25519 and ECDSA on P-256 with SHA-256.
`Signer` is what the rest of the library needs to sign; `KeyPair` is the one that holds its secret in this process.
"""

from act.keys.algorithms import SIGNATURE_SIZE, Algorithm, BadSignature, Signer
from act.keys.files import load_private, load_public, save_private, save_public
from act.keys.jwk import from_jwk, jwk_to_cose_key
from act.keys.key_pair import KeyPair
from act.keys.pem import parse_private_pem, parse_public_pem, private_pem
from act.keys.public_key import Ed25519PublicKey, P256PublicKey, PublicKey

__all__ = [
    "SIGNATURE_SIZE",
    "Algorithm",
    "BadSignature",
    "Ed25519PublicKey",
    "KeyPair",
    "P256PublicKey",
    "PublicKey",
    "Signer",
    "from_jwk",
    "jwk_to_cose_key",
    "load_private",
    "load_public",
    "parse_private_pem",
    "parse_public_pem",
    "private_pem",
    "save_private",
    "save_public",
]
