"""act.envelope.kinds: one typ for each kind of object, in both envelopes."""

from __future__ import annotations

import pytest

from act.envelope.kinds import BY_COSE_TYP, INSTRUCTION, KINDS, MANDATE, ORDER, RECEIPT, REQUEST, Kind


def test_the_types_are_the_published_ones() -> None:
    assert [(kind.name, kind.cose_typ, kind.jose_typ) for kind in (MANDATE, ORDER, REQUEST, INSTRUCTION, RECEIPT)] == [
        ("mandate", "application/act1-iac+cwt", "vc+jwt"),
        ("order", "application/act1-order+cwt", "act1-order+jwt"),
        ("request", "application/act1-payment+cwt", "act1-payment+jwt"),
        ("instruction", "application/act1-instruction+cwt", "act1-instruction+jwt"),
        ("receipt", "application/act1-receipt+cwt", "act1-receipt+jwt"),
    ]


@pytest.mark.parametrize("attribute", ["name", "cose_typ", "jose_typ"])
def test_no_two_kinds_share_a_name_or_a_type(attribute: str) -> None:
    assert len({getattr(kind, attribute) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_are_found_by_type(kind: Kind) -> None:
    assert BY_COSE_TYP[kind.cose_typ] is kind
