"""Who takes part in the demo: their keys, the parties file that says who may sign what, and the mandate of the afternoon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import act
from act_cli.files import write_output
from act_cli.manners import to_json

__all__ = [
    "AGENT",
    "CAP",
    "COURIER",
    "COURIER_CAP",
    "CURRENCY",
    "LEDGER_ID",
    "OTHER_LEDGER_ID",
    "PRINCIPAL",
    "SHOPS",
    "WALLET",
    "WRONG_SHOP",
    "Cast",
    "fresh_folder",
    "prepare",
]

PRINCIPAL: Final = "user:lin"
AGENT: Final = "agent:tea-runner"
COURIER: Final = "agent:courier"
WALLET: Final = "wallet.example"
LEDGER_ID: Final = "psp-1"
OTHER_LEDGER_ID: Final = "psp-2"
SHOPS: Final = ("teashop.example", "cha.example")
WRONG_SHOP: Final = "boba.example"
CURRENCY: Final = "CNY"
CAP: Final = "200.00"
PER_CUP: Final = "30.00"
COURIER_CAP: Final = "15.00"

_NAMES: Final = {
    WALLET: "Lin's wallet",
    "teashop.example": "The Tea Shop",
    "cha.example": "Cha House",
    "boba.example": "Boba Corner",
    LEDGER_ID: "First Payment Service",
    OTHER_LEDGER_ID: "Second Payment Service",
}
_ROLES: Final = {WALLET: "issuer", LEDGER_ID: "psp", OTHER_LEDGER_ID: "psp"}  # everybody else is a payee

OTHER_AGENT: Final = "other-agent"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody's keys by name (the agents' are not in the parties file: a mandate names its agent's key), and the mandate."""

    folder: Path
    keys: dict[str, act.KeyPair]
    parties: act.PartiesFile
    mandate: act.Mandate
    credential: bytes

    def write(self, name: str, data: bytes) -> str:
        """Puts an object into the folder and returns its name."""
        write_output(str(self.folder / name), data)
        return name


def fresh_folder(wanted: str | None) -> Path:
    """A new folder: the wanted one, or `act-demo` with the first free number. Raises `StoreFault`."""
    if wanted is not None:
        return _make(Path(wanted))
    number = 1
    while True:
        folder = Path("act-demo" if number == 1 else f"act-demo-{number}")
        try:
            return _make(folder)
        except act.StoreFault as error:
            if error.code != "file_exists":
                raise
        number += 1


def _make(folder: Path) -> Path:
    try:
        folder.mkdir()
    except FileExistsError:
        raise act.StoreFault("file_exists", str(folder)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise act.StoreFault("file_unwritable", str(folder), reason=reason) from None
    return folder


def prepare(folder: Path, now: datetime) -> Cast:
    """Makes keys, parties and mandate, as files in `folder` and for use."""
    key_folder = _make(folder / "keys")
    keys = {}
    for name in (*_NAMES, AGENT, OTHER_AGENT, COURIER):
        pair = keys[name] = act.KeyPair.generate()
        file_name = name.removeprefix("agent:").removesuffix(".example")
        act.save_private(pair, key_folder / f"{file_name}.pem")
        act.save_public(pair.public_key, key_folder / f"{file_name}.pub.pem")
    parties_path = folder / "parties.json"
    write_output(str(parties_path), _json(_parties_document(keys, now)))
    draft = _json(_mandate_document(now))
    write_output(str(folder / "mandate.json"), draft)
    mandate = act.Mandate.from_json(draft)
    credential = act.mint(mandate, signer=keys[WALLET], holder=keys[AGENT].public_key, at=now)
    write_output(str(folder / "mandate.cbor"), credential)
    return Cast(folder, keys, act.PartiesFile(parties_path), mandate, credential)


def _json(document: dict[str, Any]) -> bytes:
    return f"{to_json(document)}\n".encode()


def _parties_document(keys: dict[str, act.KeyPair], now: datetime) -> dict[str, Any]:
    """Keys in force for a year from yesterday on, so that everything can still be verified long after the demo."""
    start, end = _iso(now - timedelta(days=1)), _iso(now + timedelta(days=365))
    parties = []
    for party, name in _NAMES.items():
        role = _ROLES.get(party, "payee")
        entry: dict[str, Any] = {"id": party, "name": name, "roles": [role]}
        if role == "issuer":
            entry["delegator_namespaces"] = ["user:"]
        if role == "payee":
            entry["categories"] = ["tea"]
        entry["keys"] = [{"jwk": keys[party].public_key.to_jwk(), "not_before": start, "not_after": end}]
        parties.append(entry)
    return {"format": "act1-parties", "version": 1, "expires": end, "parties": parties}


def _mandate_document(now: datetime) -> dict[str, Any]:
    return {
        "issuer": WALLET,
        "ledger": LEDGER_ID,
        "delegator_identity": PRINCIPAL,
        "agent_id": AGENT,
        "intent_id": "milk-tea-afternoon",
        "validity_start_time": _iso(now - timedelta(hours=1)),
        "validity_end_time": _iso(now + timedelta(hours=8)),
        "delegation_mode": "BOUNDED",
        "max_total_amount": CAP,
        "currency": CURRENCY,
        "allowed_payment_methods": ["balance"],
        "user_confirmation_method": "passkey",
        "user_confirmation_timestamp": _iso(now),
        "ext": {
            "commerce": {"max_single_amount": PER_CUP, "allowed_merchants": list(SHOPS), "allowed_categories": ["tea"]},
            "delegation": {"max_depth": 1},
        },
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
