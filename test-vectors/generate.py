"""Write the published test vectors, always the same ones.

    python test-vectors/generate.py          write the files
    python test-vectors/generate.py --check  change nothing; exit 1 naming the files that are not what would be written

Keys come from published seeds, ids from fixed texts, times from one instant. ES256 signatures are those of RFC 6979, which
needs OpenSSL 3.2 or newer (the wheels of `cryptography` bring it).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vector_sets import (
    amounts,
    calendars,
    chains,
    envelopes,
    instructions,
    intents,
    jose_files,
    mandates,
    orders,
    parties,
    payments,
    receipts,
    sequences,
    wire,
    world,
)

FOLDER = Path(__file__).resolve().parent
MAKERS = (
    parties.keys_file,
    parties.parties_file,
    wire.cbor_file,
    wire.json_file,
    wire.base64url_file,
    amounts.amounts_file,
    calendars.calendar_file,
    envelopes.envelopes_file,
    intents.intents_file,
    mandates.mandates_file,
    chains.chains_file,
    orders.orders_file,
    payments.payments_file,
    instructions.instructions_file,
    receipts.receipts_file,
    sequences.sequences_file,
    *jose_files.FILES,
)


def rendered() -> dict[str, str]:
    """Every file's text by its name."""
    files: dict[str, Any] = {}
    for make in MAKERS:
        content = make()
        files[f"{content['kind']}.json"] = content
    return {name: json.dumps(content, indent=1, ensure_ascii=True) + "\n" for name, content in files.items()}


def main(arguments: list[str]) -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a file is out of date")
    check = parser.parse_args(arguments).check
    key = world.KEYS["wallet-es256"]
    if key.sign(b"twice") != key.sign(b"twice"):
        print("ES256 signatures are not deterministic here: OpenSSL 3.2 or newer is needed", file=sys.stderr)
        return 1
    stale = []
    for name, text in rendered().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run python test-vectors/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
