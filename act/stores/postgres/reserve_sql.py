"""The function that reserves: one call, the mandate's row locked first, everything else read after that.

It does what `act.stores.sql.reservation.reserve` does where nothing is in the way: the mandate and every link are known and
active, the request is new, the order is unpaid, every limit has room. Whatever else it meets, it writes nothing for, stops
there and leaves it to that code, which judges from the beginning. So there is one place that says no.

A single statement would not do: at READ COMMITTED it sees what was committed before it began to wait, and reserves after a
revocation. A volatile plpgsql function takes a new snapshot for each of its statements.
"""

from __future__ import annotations

from typing import Final

__all__ = ["RESERVE"]

RESERVE: Final = r"""
CREATE FUNCTION receipt_number(n BIGINT, jose BOOLEAN) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jose THEN convert_to(n::text, 'UTF8')
        WHEN n < 24 THEN substr(int2send(n::smallint), 2)
        WHEN n < 256 THEN '\x18'::bytea || substr(int2send(n::smallint), 2)
        WHEN n < 65536 THEN '\x19'::bytea || substr(int4send(n::int), 3)
        WHEN n < 4294967296 THEN '\x1a'::bytea || substr(int8send(n), 5)
        ELSE '\x1b'::bytea || int8send(n)
    END
$$;

CREATE FUNCTION base64url(data BYTEA) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT translate(encode(data, 'base64'), E'+/=\n', '-_')
$$;

CREATE FUNCTION receipt_signing_input(protected BYTEA, payload BYTEA, jose BOOLEAN) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jose THEN convert_to(base64url(protected) || '.' || base64url(payload), 'UTF8')
        ELSE '\x846a5369676e617475726531'::bytea || protected || '\x40'::bytea  -- Sig_structure; protected as a byte string
            || CASE
                WHEN length(payload) < 24 THEN substr(int2send((64 + length(payload))::smallint), 2)
                WHEN length(payload) < 256 THEN '\x58'::bytea || substr(int2send(length(payload)::smallint), 2)
                ELSE '\x59'::bytea || substr(int4send(length(payload)), 3)
            END || payload
    END
$$;

CREATE FUNCTION reserve(batch JSONB) RETURNS TABLE (new_sequence BIGINT, receipt_payload BYTEA, receipt_identity BYTEA)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r RECORD;
    m RECORD;
    jose BOOLEAN;
    found_links BIGINT;
    stands RECORD;
    was_held BIGINT;
    was_captured BIGINT;
    slides BOOLEAN;
    numbers BIGINT[];
BEGIN
    PERFORM 1 FROM mandate WHERE (account, number) IN (
        SELECT mandate.account, mandate.number
        FROM jsonb_to_recordset(batch) AS asked (issuer TEXT, delegator_identity TEXT, delegation_id TEXT)
        JOIN account USING (issuer, delegator_identity)
        JOIN mandate ON mandate.account = account.id AND mandate.delegation_id = asked.delegation_id
    ) ORDER BY account, number FOR UPDATE;

    FOR r IN SELECT * FROM jsonb_to_recordset(batch) AS asked (
        issuer TEXT, delegator_identity TEXT, delegation_id TEXT, identity TEXT, links TEXT[], at BIGINT, charge TEXT,
        agent_id TEXT, holder TEXT, request_id TEXT, request_identity TEXT, credential TEXT, payee TEXT, order_no TEXT,
        order_identity TEXT, currency TEXT, amount_minor BIGINT, hold_expires_at BIGINT, tzdata_version TEXT,
        names TEXT[], caps BIGINT[], taken BIGINT[], units TEXT[], turns BIGINT[], slides BIGINT[], since BIGINT[],
        protected TEXT, sig_protected TEXT, pieces TEXT[], holes INT[], debits TEXT)
    LOOP
        SELECT mandate.* INTO m FROM account JOIN mandate ON mandate.account = account.id
        WHERE account.issuer = r.issuer AND account.delegator_identity = r.delegator_identity
            AND mandate.delegation_id = r.delegation_id
        FOR UPDATE OF mandate SKIP LOCKED;  -- one that was made since the others were locked must not be waited for now
        EXIT WHEN NOT FOUND OR m.identity <> decode(r.identity, 'hex') OR m.state <> 'Active' OR m.last_sequence = 0
            OR m.first_hold_end <= r.at;
        EXIT WHEN EXISTS (
            SELECT FROM request WHERE account = m.account AND mandate = m.number AND agent_id = r.agent_id
                AND holder = decode(r.holder, 'hex') AND request_id = decode(r.request_id, 'hex'));
        IF cardinality(r.links) > 0 THEN
            SELECT count(*) INTO found_links FROM link WHERE account = m.account AND mandate = m.number
                AND identity IN (SELECT decode(each, 'hex') FROM unnest(r.links) AS each) AND state = 'Active';
            EXIT WHEN found_links <> cardinality(r.links);
        END IF;
        EXIT WHEN EXISTS (
            SELECT FROM charge WHERE payee = r.payee AND order_no = r.order_no
                AND state IN ('HELD', 'PARTIALLY_CAPTURED', 'CAPTURED'));

        numbers := '{}';  -- of each limit: held, captured, held before, captured before
        FOR i IN 1 .. cardinality(r.names) LOOP
            IF r.since[i] IS NULL THEN
                SELECT held, captured INTO stands FROM counter
                WHERE account = m.account AND mandate = m.number AND name = r.names[i];
            ELSE
                SELECT sum(held)::bigint AS held, sum(captured)::bigint AS captured INTO stands FROM sliding_debit
                WHERE account = m.account AND mandate = m.number AND name = r.names[i] AND at > r.since[i];
            END IF;
            was_held := coalesce(stands.held, 0);
            was_captured := coalesce(stands.captured, 0);
            EXIT WHEN was_held > r.caps[i] OR r.caps[i] - was_held - was_captured < r.taken[i];  -- in 64 bits
            numbers := numbers || ARRAY[was_held + r.taken[i], was_captured, was_held, was_captured];
        END LOOP;
        EXIT WHEN cardinality(numbers) < 4 * cardinality(r.names);

        INSERT INTO charge (account, mandate, sequence, id, agent_id, holder, request_id, request_identity, credential, payee,
            order_no, order_identity, amount_minor, currency, captured_minor, state, reserved_at, hold_expires_at,
            tzdata_version, refunded_minor, debits)
        VALUES (m.account, m.number, m.last_sequence + 1, r.charge, r.agent_id, decode(r.holder, 'hex'),
            decode(r.request_id, 'hex'), decode(r.request_identity, 'hex'), decode(r.credential, 'hex'), r.payee, r.order_no,
            decode(r.order_identity, 'hex'), r.amount_minor, r.currency, 0, 'HELD', r.at, r.hold_expires_at,
            r.tzdata_version, 0, r.debits)
        ON CONFLICT DO NOTHING;
        EXIT WHEN NOT FOUND;  -- somebody else's reservation of this order has just been committed

        FOR i IN 1 .. cardinality(r.names) LOOP
            slides := r.slides[i] IS NOT NULL;
            INSERT INTO counter (account, mandate, name, cap, held, captured, unit, turns_at, sliding_seconds)
            VALUES (m.account, m.number, r.names[i], r.caps[i], CASE WHEN slides THEN 0 ELSE numbers[4 * i - 3] END,
                CASE WHEN slides THEN 0 ELSE numbers[4 * i - 2] END, r.units[i], r.turns[i], r.slides[i])
            ON CONFLICT (account, mandate, name)
            DO UPDATE SET cap = CASE WHEN excluded.turns_at IS NULL THEN counter.cap ELSE excluded.cap END,
                held = excluded.held, captured = excluded.captured, turns_at = excluded.turns_at;
            IF slides THEN
                INSERT INTO sliding_debit (account, mandate, name, at, charge, held, captured)
                VALUES (m.account, m.number, r.names[i], r.at, r.charge, r.taken[i], 0);
            END IF;
        END LOOP;

        jose := m.format = 'jose';
        new_sequence := m.last_sequence + 1;
        numbers := new_sequence || numbers;
        SELECT string_agg(decode(piece, 'hex') || CASE
                WHEN hole IS NULL THEN ''::bytea
                WHEN hole > 0 THEN receipt_number(numbers[hole], jose)
                WHEN jose THEN convert_to(base64url(m.last_receipt), 'UTF8')
                ELSE m.last_receipt
            END, ''::bytea ORDER BY place) INTO receipt_payload
        FROM unnest(r.pieces, r.holes) WITH ORDINALITY AS form (piece, hole, place);
        receipt_identity := sha256(receipt_signing_input(decode(r.sig_protected, 'hex'), receipt_payload, jose));
        INSERT INTO entry (account, mandate, sequence, kind, at, charge, amount_minor,
            receipt_protected, receipt_payload, receipt_identity)
        VALUES (m.account, m.number, new_sequence, 'RESERVED', r.at, r.charge, r.amount_minor,
            decode(r.protected, 'hex'), reserve.receipt_payload, reserve.receipt_identity);
        UPDATE mandate SET last_sequence = new_sequence, last_receipt = reserve.receipt_identity,
            first_hold_end = least(first_hold_end, r.hold_expires_at)
        WHERE account = m.account AND number = m.number;
        INSERT INTO request (account, mandate, agent_id, holder, request_id, identity, sequence)
        VALUES (m.account, m.number, r.agent_id, decode(r.holder, 'hex'), decode(r.request_id, 'hex'),
            decode(r.request_identity, 'hex'), new_sequence);
        RETURN NEXT;
    END LOOP;
END $$;
"""
