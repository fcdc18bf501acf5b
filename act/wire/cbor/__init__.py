"""CBOR in its one deterministic form (RFC 8949 4.2.1), and nothing else.

A value is an integer, a text, a byte string, a boolean, a list or a map with integer or text keys. Everything else CBOR can
say (floats, null, undefined, other simple values, tags) has no place in a signed object of this library and is refused, as is
every second way to write the same value: then two different byte strings never mean the same, and what was signed is what is
read. The one tag there is, COSE_Sign1 (RFC 9052 4.2), has functions of its own that split and join the envelope.
"""

from act.wire.cbor.bounds import MAX_BYTES, MAX_DEPTH, MAX_MAP_ENTRIES, Value
from act.wire.cbor.decode import decode
from act.wire.cbor.encode import encode
from act.wire.cbor.sign1 import decode_sign1, encode_sign1, sig_structure, split_sign1

__all__ = [
    "MAX_BYTES", "MAX_DEPTH", "MAX_MAP_ENTRIES", "Value", "decode", "decode_sign1", "encode", "encode_sign1", "sig_structure",
    "split_sign1",
]  # fmt: skip
