"""The SQLite ledger's tables. Amounts are minor units, counters minor units or times, instants seconds, identities and ids
bytes; the tables are STRICT.

Every row under a mandate begins with the account that owns it, as in every store, so that a ledger can be divided by accounts.
The CHECK of `counter` and the index `one_charge_per_order` would stop even a defective program from overspending a mandate or
paying an order twice. Entries cannot be changed or deleted.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION_ID", "SCHEMA", "SCHEMA_VERSION"]

APPLICATION_ID: Final = 0x41435431
"""`ACT1`, in the file's header: tells a ledger from any other SQLite file."""

SCHEMA_VERSION: Final = 5

SCHEMA: Final = """
CREATE TABLE ledger (
    single INTEGER PRIMARY KEY CHECK (single = 1),
    ledger_id TEXT NOT NULL,
    frozen_at INTEGER,  -- of a backup that was not reconciled yet: when it was made
    reconciled_at INTEGER  -- since when a ledger that was restored counts again
) STRICT;

CREATE TABLE account (  -- whose money it is
    id INTEGER PRIMARY KEY,
    issuer TEXT NOT NULL,
    delegator_identity TEXT NOT NULL,
    UNIQUE (issuer, delegator_identity)
) STRICT;

CREATE TABLE mandate (
    account INTEGER NOT NULL REFERENCES account (id),
    number INTEGER NOT NULL,
    delegation_id TEXT NOT NULL,
    identity BLOB NOT NULL,
    agent_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    on_revoke TEXT NOT NULL CHECK (on_revoke IN ('honor', 'void')),
    refund_restores INTEGER NOT NULL CHECK (refund_restores IN (0, 1)),
    format TEXT NOT NULL CHECK (format IN ('cose', 'jose')),
    pinned_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('Active', 'Suspended', 'Revoked')),
    last_sequence INTEGER NOT NULL,
    last_receipt BLOB,
    first_hold_end INTEGER,  -- no open hold ends before this instant
    principal_stop INTEGER,  -- the entry of the principal's suspension that stands
    risk_control_stop INTEGER,  -- and of risk control's
    revocation INTEGER,  -- the entry that revoked it
    PRIMARY KEY (account, number),
    UNIQUE (account, delegation_id),
    UNIQUE (account, identity),
    CHECK ((state = 'Revoked') = (revocation IS NOT NULL)),
    CHECK ((state = 'Suspended') = (principal_stop IS NOT NULL OR risk_control_stop IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE former_mandate (  -- what a successor has replaced: its row in mandate is the successor's now
    account INTEGER NOT NULL,
    identity BLOB NOT NULL,
    delegation_id TEXT,  -- NULL if its successor was revoked before it was seen: then nothing else is known
    agent_id TEXT,
    expires_at INTEGER,
    on_revoke TEXT CHECK (on_revoke IN ('honor', 'void')),
    pinned_at INTEGER,
    mandate INTEGER NOT NULL,
    ended INTEGER NOT NULL,  -- the entry by which its successor took over, or was revoked
    PRIMARY KEY (account, identity),
    UNIQUE (account, delegation_id),
    UNIQUE (account, mandate, ended),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    identity BLOB NOT NULL,
    delegation_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    parent BLOB NOT NULL,  -- the identity of the link above it, or of the mandate
    pinned_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('Active', 'Suspended', 'Revoked')),
    principal_stop INTEGER,  -- the entry of the principal's suspension that stands
    risk_control_stop INTEGER,  -- and of risk control's
    revocation INTEGER,  -- the entry that revoked it
    PRIMARY KEY (account, mandate, identity),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number),
    CHECK ((state = 'Revoked') = (revocation IS NOT NULL)),
    CHECK ((state = 'Suspended') = (principal_stop IS NOT NULL OR risk_control_stop IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    name TEXT NOT NULL,
    cap INTEGER NOT NULL,
    held INTEGER NOT NULL CHECK (held >= 0),
    captured INTEGER NOT NULL CHECK (captured >= 0),
    unit TEXT NOT NULL CHECK (unit IN ('AMOUNT', 'TIMES')),
    turns_at INTEGER,  -- where the count starts anew with a calendar window: the end of this one
    sliding_seconds INTEGER,  -- where it slides: what counts stands in sliding_debit, and nothing here
    carried INTEGER NOT NULL DEFAULT 0,  -- what was used when a successor's cap came to apply, which may be more than that
    PRIMARY KEY (account, mandate, name),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number),
    CHECK (held + captured <= cap OR held + captured <= carried),
    CHECK (sliding_seconds IS NULL OR held + captured = 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE charge (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    holder BLOB NOT NULL,
    request_id BLOB NOT NULL,
    request_identity BLOB NOT NULL,
    credential BLOB NOT NULL,
    payee TEXT NOT NULL,
    order_no TEXT NOT NULL,
    order_identity BLOB NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    captured_minor INTEGER NOT NULL CHECK (captured_minor BETWEEN 0 AND amount_minor),
    refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    state TEXT NOT NULL CHECK (state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED', 'VOIDED', 'EXPIRED')),
    sequence INTEGER NOT NULL,  -- of the entry that reserved it
    reserved_at INTEGER NOT NULL,
    hold_expires_at INTEGER NOT NULL,
    closed_sequence INTEGER,
    tzdata_version TEXT,
    debits TEXT NOT NULL,  -- the names of the counters that it counts in, a line each
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number),
    CHECK ((captured_minor > 0) = (state IN ('PARTIALLY_CAPTURED', 'CAPTURED'))),
    CHECK ((closed_sequence IS NULL) = (state IN ('HELD', 'PARTIALLY_CAPTURED')))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_charge_per_order ON charge (payee, order_no) WHERE state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED');
CREATE INDEX open_holds ON charge (account, mandate, hold_expires_at, sequence) WHERE closed_sequence IS NULL;

CREATE TABLE part (  -- what the payee named by a number of its own: a part that it captured, a refund
    account INTEGER NOT NULL,
    charge TEXT NOT NULL REFERENCES charge (id),
    kind TEXT NOT NULL CHECK (kind IN ('CAPTURE', 'REFUND')),
    number TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    sequence INTEGER NOT NULL,
    PRIMARY KEY (account, charge, kind, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE sliding_debit (
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    charge TEXT NOT NULL REFERENCES charge (id),
    held INTEGER NOT NULL CHECK (held >= 0),
    captured INTEGER NOT NULL CHECK (captured >= 0),
    PRIMARY KEY (account, mandate, name, at, charge)  -- so that a sum reads the window's rows and no others
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    kind TEXT NOT NULL CHECK (kind IN (
        'RESERVED', 'REFUSED', 'PARTIALLY_CAPTURED', 'CAPTURED', 'VOIDED', 'EXPIRED', 'REFUNDED', 'REVOKED',
        'SUSPENDED', 'RESUMED', 'SUCCEEDED')),
    at INTEGER NOT NULL,
    charge TEXT REFERENCES charge (id),
    amount_minor INTEGER,
    code TEXT,
    place TEXT,
    facts BLOB,
    receipt_protected BLOB NOT NULL,
    receipt_payload BLOB NOT NULL,
    receipt_identity BLOB NOT NULL,
    PRIMARY KEY (account, mandate, sequence),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entry_is_never_replaced BEFORE INSERT ON entry  -- INSERT OR REPLACE deletes without asking the trigger above
WHEN EXISTS (SELECT 1 FROM entry WHERE account = NEW.account AND mandate = NEW.mandate AND sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

CREATE TABLE request (
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    holder BLOB NOT NULL,
    request_id BLOB NOT NULL,
    identity BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (account, mandate, agent_id, holder, request_id),
    FOREIGN KEY (account, mandate, sequence) REFERENCES entry (account, mandate, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE instruction (  -- that was obeyed, or repeated a stop that stood
    account INTEGER NOT NULL,
    mandate INTEGER NOT NULL,
    signer BLOB NOT NULL,
    instruction_id BLOB NOT NULL,
    identity BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (account, mandate, signer, instruction_id),
    FOREIGN KEY (account, mandate, sequence) REFERENCES entry (account, mandate, sequence)
) STRICT, WITHOUT ROWID;
"""
