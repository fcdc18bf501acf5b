"""The PostgreSQL ledger's tables: those of `act.stores.sqlite.schema`, with keys that lead with the account.

Texts compare by their bytes (collation "C"), as everywhere else in a ledger. The CHECK of `counter` and the index
`one_charge_per_order` would stop even a defective program from overspending a mandate or paying an order twice. That index is
the one thing that no account owns: an engine that divides the ledger by accounts keeps orders where their payee is. Entries
cannot be changed or deleted. Rows that change often leave room in their page for the next version. What every reservation
writes refers to its mandate without a foreign key: each would look its mandate up again, and the audit finds what they would.
"""

from __future__ import annotations

from typing import Final

from act.stores.postgres.reserve_sql import RESERVE

__all__ = ["MIGRATIONS", "SCHEMA_VERSION"]

_TABLES: Final = """
CREATE TABLE ledger (
    single SMALLINT PRIMARY KEY CHECK (single = 1),
    ledger_id TEXT COLLATE "C" NOT NULL
);

CREATE TABLE account (  -- whose money it is; its number is drawn, so that no two shards draw the same
    id BIGINT PRIMARY KEY DEFAULT ('x' || substr(md5(gen_random_uuid()::text), 1, 13))::bit(52)::bigint,
    issuer TEXT COLLATE "C" NOT NULL,
    delegator_identity TEXT COLLATE "C" NOT NULL,
    UNIQUE (issuer, delegator_identity)
);

CREATE TABLE mandate (
    account BIGINT NOT NULL REFERENCES account (id),
    number BIGINT NOT NULL,
    delegation_id TEXT COLLATE "C" NOT NULL,
    identity BYTEA NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    on_revoke TEXT NOT NULL CHECK (on_revoke IN ('honor', 'void')),
    refund_restores SMALLINT NOT NULL CHECK (refund_restores IN (0, 1)),
    format TEXT NOT NULL CHECK (format IN ('cose', 'jose')),
    pinned_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('Active', 'Suspended', 'Revoked')),
    last_sequence BIGINT NOT NULL,
    last_receipt BYTEA,
    first_hold_end BIGINT,  -- no open hold ends before this instant
    principal_stop BIGINT,  -- the entry of the principal's suspension that stands
    risk_control_stop BIGINT,  -- and of risk control's
    revocation BIGINT,  -- the entry that revoked it
    PRIMARY KEY (account, number),
    UNIQUE (account, delegation_id),
    UNIQUE (account, identity),
    CHECK ((state = 'Revoked') = (revocation IS NOT NULL)),
    CHECK ((state = 'Suspended') = (principal_stop IS NOT NULL OR risk_control_stop IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX first_hold_ends ON mandate (account, first_hold_end);

CREATE TABLE former_mandate (  -- what a successor has replaced: its row in mandate is the successor's now
    account BIGINT NOT NULL,
    identity BYTEA NOT NULL,
    delegation_id TEXT COLLATE "C",  -- NULL if its successor was revoked before it was seen: then nothing else is known
    agent_id TEXT COLLATE "C",
    expires_at BIGINT,
    on_revoke TEXT CHECK (on_revoke IN ('honor', 'void')),
    pinned_at BIGINT,
    mandate BIGINT NOT NULL,
    ended BIGINT NOT NULL,  -- the entry by which its successor took over, or was revoked
    PRIMARY KEY (account, identity),
    UNIQUE (account, delegation_id),
    UNIQUE (account, mandate, ended),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number)
);

CREATE TABLE link (
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    identity BYTEA NOT NULL,
    delegation_id TEXT COLLATE "C" NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    parent BYTEA NOT NULL,  -- the identity of the link above it, or of the mandate
    pinned_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('Active', 'Suspended', 'Revoked')),
    principal_stop BIGINT,  -- the entry of the principal's suspension that stands
    risk_control_stop BIGINT,  -- and of risk control's
    revocation BIGINT,  -- the entry that revoked it
    PRIMARY KEY (account, mandate, identity),
    FOREIGN KEY (account, mandate) REFERENCES mandate (account, number),
    CHECK ((state = 'Revoked') = (revocation IS NOT NULL)),
    CHECK ((state = 'Suspended') = (principal_stop IS NOT NULL OR risk_control_stop IS NOT NULL))
);

CREATE TABLE counter (
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    cap BIGINT NOT NULL,
    held BIGINT NOT NULL CHECK (held >= 0),
    captured BIGINT NOT NULL CHECK (captured >= 0),
    unit TEXT NOT NULL CHECK (unit IN ('AMOUNT', 'TIMES')),
    turns_at BIGINT,  -- where the count starts anew with a calendar window: the end of this one
    sliding_seconds BIGINT,  -- where it slides: what counts stands in sliding_debit, and nothing here
    carried BIGINT NOT NULL DEFAULT 0,  -- what was used when a successor's cap came to apply, which may be more than that
    PRIMARY KEY (account, mandate, name),
    CHECK (held + captured <= cap OR held + captured <= carried),
    CHECK (sliding_seconds IS NULL OR held + captured = 0)
) WITH (fillfactor = 50);

CREATE TABLE charge (
    id TEXT COLLATE "C" NOT NULL,
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    holder BYTEA NOT NULL,
    request_id BYTEA NOT NULL,
    request_identity BYTEA NOT NULL,
    credential BYTEA NOT NULL,
    payee TEXT COLLATE "C" NOT NULL,
    order_no TEXT COLLATE "C" NOT NULL,
    order_identity BYTEA NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    captured_minor BIGINT NOT NULL CHECK (captured_minor BETWEEN 0 AND amount_minor),
    refunded_minor BIGINT NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    state TEXT NOT NULL CHECK (state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED', 'VOIDED', 'EXPIRED')),
    sequence BIGINT NOT NULL,  -- of the entry that reserved it
    reserved_at BIGINT NOT NULL,
    hold_expires_at BIGINT NOT NULL,
    closed_sequence BIGINT,
    tzdata_version TEXT COLLATE "C",
    debits TEXT COLLATE "C" NOT NULL,  -- the names of the counters that it counts in, a line each
    PRIMARY KEY (account, id),
    CHECK ((captured_minor > 0) = (state IN ('PARTIALLY_CAPTURED', 'CAPTURED'))),
    CHECK ((closed_sequence IS NULL) = (state IN ('HELD', 'PARTIALLY_CAPTURED')))
);
CREATE INDEX charge_by_id ON charge (id);
CREATE UNIQUE INDEX one_charge_per_order ON charge (payee, order_no) WHERE state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED');
CREATE INDEX open_holds ON charge (account, mandate, hold_expires_at, sequence) WHERE closed_sequence IS NULL;

CREATE TABLE part (  -- what the payee named by a number of its own: a part that it captured, a refund
    account BIGINT NOT NULL,
    charge TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('CAPTURE', 'REFUND')),
    number TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    sequence BIGINT NOT NULL,
    PRIMARY KEY (account, charge, kind, number),
    FOREIGN KEY (account, charge) REFERENCES charge (account, id)
);

CREATE TABLE sliding_debit (
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    charge TEXT COLLATE "C" NOT NULL,
    held BIGINT NOT NULL CHECK (held >= 0),
    captured BIGINT NOT NULL CHECK (captured >= 0),
    PRIMARY KEY (account, mandate, name, at, charge)  -- so that a sum reads the window's rows and no others
);

CREATE TABLE entry (
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence > 0),
    kind TEXT NOT NULL CHECK (kind IN (
        'RESERVED', 'REFUSED', 'PARTIALLY_CAPTURED', 'CAPTURED', 'VOIDED', 'EXPIRED', 'REFUNDED', 'REVOKED',
        'SUSPENDED', 'RESUMED', 'SUCCEEDED')),
    at BIGINT NOT NULL,
    charge TEXT COLLATE "C",
    amount_minor BIGINT,
    code TEXT,
    place TEXT,
    facts BYTEA,
    receipt_protected BYTEA NOT NULL,
    receipt_payload BYTEA NOT NULL,
    receipt_identity BYTEA NOT NULL,
    PRIMARY KEY (account, mandate, sequence)
);
CREATE FUNCTION refuse_to_change_an_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are append-only';
END $$;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE OR DELETE ON entry
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_an_entry();
CREATE TRIGGER entries_are_never_emptied BEFORE TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_an_entry();

CREATE TABLE request (
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    holder BYTEA NOT NULL,
    request_id BYTEA NOT NULL,
    identity BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (account, mandate, agent_id, holder, request_id)
);

CREATE TABLE instruction (  -- that was obeyed, or repeated a stop that stood
    account BIGINT NOT NULL,
    mandate BIGINT NOT NULL,
    signer BYTEA NOT NULL,
    instruction_id BYTEA NOT NULL,
    identity BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (account, mandate, signer, instruction_id),
    FOREIGN KEY (account, mandate, sequence) REFERENCES entry (account, mandate, sequence)
);
"""

MIGRATIONS: Final = ((_TABLES, RESERVE),)
"""What brings a ledger from each version to the next, beginning with nothing: scripts, run in one transaction."""

SCHEMA_VERSION: Final = len(MIGRATIONS)
