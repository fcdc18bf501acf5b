"""Bytes to plain values and back, strictly, with no meaning attached: CBOR, JSON and base64url."""
