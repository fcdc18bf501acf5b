"""Key files and signatures against the real `openssl` command, in both directions. It must be installed; nothing skips."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from act.keys import Algorithm, KeyPair, load_private, load_public, save_private, save_public

GENERATE = {
    Algorithm.ED25519: ["-algorithm", "ed25519"],
    Algorithm.ES256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


def openssl(*arguments: str | Path) -> str:
    command = shutil.which("openssl")
    assert command, "these tests need the openssl command"
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=list(Algorithm), ids=lambda alg: alg.value)
def alg(request: pytest.FixtureRequest) -> Algorithm:
    chosen: Algorithm = request.param
    return chosen


def test_we_read_what_openssl_writes(alg: Algorithm, tmp_path: Path) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    openssl("genpkey", *GENERATE[alg], "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    private.chmod(0o600)
    pair = load_private(private)
    assert pair.alg is alg
    assert load_public(public) == pair.public_key


def test_we_read_what_openssl_encrypts(alg: Algorithm, tmp_path: Path) -> None:
    plain, public = tmp_path / "plain.pem", tmp_path / "public.pem"
    openssl("genpkey", *GENERATE[alg], "-out", plain)
    openssl("pkey", "-in", plain, "-pubout", "-text", "-out", public)
    forms = {
        "default": [],
        "aes256": ["-v2", "aes-256-cbc", "-iter", "100000"],
        "scrypt": ["-scrypt"],
    }
    for name, options in forms.items():
        encrypted = tmp_path / f"{name}.pem"
        openssl("pkcs8", "-topk8", *options, "-in", plain, "-out", encrypted, "-passout", "pass:milk tea")
        encrypted.chmod(0o600)
        assert load_private(encrypted, b"milk tea").public_key == load_public(public), name


def test_openssl_reads_what_we_write(alg: Algorithm, tmp_path: Path) -> None:
    pair = KeyPair.generate(alg)
    plain, encrypted, public = tmp_path / "plain.pem", tmp_path / "encrypted.pem", tmp_path / "public.pem"
    save_private(pair, plain)
    save_private(pair, encrypted, b"milk tea")
    save_public(pair.public_key, public)
    expected = public.read_text()
    assert openssl("pkey", "-pubin", "-in", public, "-pubout") == expected
    assert openssl("pkey", "-in", plain, "-pubout") == expected
    assert openssl("pkey", "-in", encrypted, "-passin", "pass:milk tea", "-pubout") == expected
    assert openssl("pkey", "-in", encrypted, "-passin", "pass:milk tea") == plain.read_text()
    assert "PBES2" in openssl("asn1parse", "-in", encrypted)
    assert "aes-256-cbc" in openssl("asn1parse", "-in", encrypted)


def test_a_compressed_public_key_is_the_same_key(tmp_path: Path) -> None:
    pair = KeyPair.generate("ES256")
    save_public(pair.public_key, tmp_path / "public.pem")
    openssl("ec", "-pubin", "-in", tmp_path / "public.pem", "-conv_form", "compressed", "-out", tmp_path / "compressed.pem")
    assert (tmp_path / "compressed.pem").stat().st_size < (tmp_path / "public.pem").stat().st_size
    assert load_public(tmp_path / "compressed.pem") == pair.public_key


def test_ed25519_signatures_both_ways(tmp_path: Path) -> None:
    pair = KeyPair.generate()
    private, public, message, signature = (tmp_path / name for name in ("private", "public", "message", "signature"))
    save_private(pair, private)
    save_public(pair.public_key, public)
    message.write_bytes(b"one cup of tea")
    signature.write_bytes(pair.sign(b"one cup of tea"))
    openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", message, "-sigfile", signature)
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", private, "-in", message, "-out", signature)
    pair.public_key.verify(b"one cup of tea", signature.read_bytes())


def test_es256_signatures_both_ways(tmp_path: Path) -> None:
    pair = KeyPair.generate("ES256")
    private, public, message, signature = (tmp_path / name for name in ("private", "public", "message", "signature"))
    save_private(pair, private)
    save_public(pair.public_key, public)
    message.write_bytes(b"one cup of tea")
    raw = pair.sign(b"one cup of tea")
    signature.write_bytes(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")))
    openssl("dgst", "-sha256", "-verify", public, "-signature", signature, message)
    openssl("dgst", "-sha256", "-sign", private, "-out", signature, message)
    r, s = decode_dss_signature(signature.read_bytes())
    pair.public_key.verify(b"one cup of tea", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
