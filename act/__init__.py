"""Agentic Commerce Trust (ACT 2.1), an independent implementation: sign, verify, decide and reserve an AI agent's payments.

The public names are these, and nothing else. README shows them at work; `spec/` says what they promise on the wire.
"""

from act.commerce.cart import Item, Order, pre_check, sign_order, verify_order
from act.delegation.chain import Chain, delegate, verify_mandate
from act.delegation.credential import mint
from act.delegation.intent import Isr
from act.delegation.mandate import Mandate
from act.errors import CODES, ActError, InvalidCall, Refused, StoreFault
from act.keys import KeyPair, PublicKey, Signer, load_private, load_public, save_private, save_public
from act.money import Amount
from act.parties import Parties, PartiesFile
from act.payment.instruction import sign_instruction
from act.payment.ledger import MandateStatus
from act.payment.receipt import Receipt, verify_receipt
from act.payment.recognize import recognize
from act.payment.request import Payment, sign_payment
from act.payment.service import Acknowledgement, Charge, PaymentService
from act.payment.verifier import explain, verify_payment
from act.stores.opening import open_ledger
from act.stores.sqlite import SqliteLedger

__version__ = "0.1.0"

__all__ = [
    "CODES",
    "Acknowledgement",
    "ActError",
    "Amount",
    "Chain",
    "Charge",
    "InvalidCall",
    "Isr",
    "Item",
    "KeyPair",
    "Mandate",
    "MandateStatus",
    "Order",
    "Parties",
    "PartiesFile",
    "Payment",
    "PaymentService",
    "PublicKey",
    "Receipt",
    "Refused",
    "Signer",
    "SqliteLedger",
    "StoreFault",
    "delegate",
    "explain",
    "load_private",
    "load_public",
    "mint",
    "open_ledger",
    "pre_check",
    "recognize",
    "save_private",
    "save_public",
    "sign_instruction",
    "sign_order",
    "sign_payment",
    "verify_mandate",
    "verify_order",
    "verify_payment",
    "verify_receipt",
]
