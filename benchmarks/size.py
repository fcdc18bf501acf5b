"""How many bytes the demo's objects take on the wire."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import act
from benchmarks.milk_tea import LEDGER, NOW, Afternoon
from benchmarks.table import render, verdict

__all__ = ["report", "sizes"]

_TARGETS = {"mandate": 700, "mandate + order + request": 1_800}


def sizes() -> dict[str, int]:
    """Bytes of each object of one payment."""
    afternoon = Afternoon.of(1)
    (payment,) = afternoon.payments
    with tempfile.TemporaryDirectory() as folder, closing(act.SqliteLedger(Path(folder) / "ledger.db")) as ledger:
        service = act.PaymentService(
            LEDGER, parties=afternoon.cast.parties(), ledger=ledger, signer=afternoon.cast.psp, clock=lambda: NOW
        )
        charge = service.authorize(payment)
    mandate, order, request = len(afternoon.iac), len(payment.order), len(payment.request)
    return {
        "mandate": mandate,
        "order": order,
        "request": request,
        "mandate + order + request": mandate + order + request,
        "payment, all three in one": len(payment.to_bytes()),
        "receipt": len(charge.receipt),
    }


def report(*, quick: bool = False) -> str:
    """The table of sizes. They are what they are, so `quick` changes nothing."""
    rows = []
    for name, size in sizes().items():
        target = _TARGETS.get(name)
        rows.append((name, f"{size:,}", f"{target:,}" if target else "", verdict(size, target) if target else ""))
    return render("size: one cup of tea, Ed25519", ("object", "bytes", "target", "met"), rows)
