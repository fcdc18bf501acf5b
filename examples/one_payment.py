"""One payment, from the mandate to the merchant's check, with everything a reader needs to run it.

Four parties who would live in four places: a wallet, an agent, a tea shop and a payment service. The part between the two marks
is what README shows.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import act


def enrol(path: Path, wallet: act.PublicKey, shop: act.PublicKey, psp: act.PublicKey) -> None:
    """Writes the parties file: who may sign as what, and what the shop is on record for selling."""

    def party(identity: str, role: str, key: act.PublicKey, **record: list[str]) -> dict[str, object]:
        window = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"}
        return {"id": identity, "name": identity, "roles": [role], "keys": [{"jwk": key.to_jwk(), **window}], **record}

    parties = [
        party("wallet.example", "issuer", wallet, delegator_namespaces=["user:"]),
        party("teashop.example", "payee", shop, categories=["tea"]),
        party("psp-1", "psp", psp),
    ]
    path.write_text(json.dumps({"format": "act1-parties", "version": 1, "expires": "2036-01-01T00:00:00Z", "parties": parties}))


def main(folder: Path) -> None:
    """Runs the payment with files in `folder`."""
    wallet_key, agent_key, shop_key, psp_key = (act.KeyPair.generate() for _ in range(4))
    parties_file, ledger_file = folder.joinpath("parties.json"), folder.joinpath("ledger.db")
    enrol(parties_file, wallet_key.public_key, shop_key.public_key, psp_key.public_key)
    now = datetime.now(UTC).replace(microsecond=0)
    later = {minutes: (now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ") for minutes in (0, 15, 480)}
    mandate = act.Mandate.from_json(
        {
            "issuer": "wallet.example",
            "ledger": "psp-1",
            "delegator_identity": "user:lin",
            "agent_id": "agent:tea-runner",
            "intent_id": "intent-1",
            "delegation_mode": "BOUNDED",
            "validity_start_time": later[0],
            "validity_end_time": later[480],
            "max_total_amount": "200.00",
            "currency": "CNY",
            "ext": {"commerce": {"max_single_amount": "30.00", "allowed_categories": ["tea"]}},
        }
    )
    offer = act.Order.from_json(
        {
            "payee": "teashop.example",
            "agent_id": "agent:tea-runner",
            "delegator_identity": "user:lin",
            "order_no": "T-0001",
            "currency": "CNY",
            "items": [{"sku": "milk-tea-l", "name": "Milk tea, large", "category": "tea", "unit_amount": "18.00"}],
            "expires_at": later[15],
        }
    )
    # What README shows begins here.
    iac = act.mint(mandate, signer=wallet_key, holder=agent_key.public_key)  # the wallet, once
    order = act.sign_order(offer, signer=shop_key)  # the shop
    payment = act.sign_payment(order, chain=[iac], audience="psp-1", signer=agent_key)  # the agent

    parties = act.PartiesFile(parties_file)
    service = act.PaymentService("psp-1", parties=parties, ledger=act.SqliteLedger(ledger_file), signer=psp_key)
    try:
        charge = service.authorize(payment)  # verified and reserved, or Refused
    except act.Refused as refusal:
        print(refusal.code, refusal.rule, refusal.where, refusal.remedy)
    else:
        charge = service.capture(charge.id, charge.amount)
        act.verify_receipt(charge.receipt, order=order, parties=parties, at=now)  # the merchant's side
        print(charge.state.value, charge.captured)
    # What README shows ends here.


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
