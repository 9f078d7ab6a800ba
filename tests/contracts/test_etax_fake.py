"""The made-up issuer is strict, and wrong only when it is told to be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from billing.etax import shapes
from billing.etax.contract import Stage, Unavailable
from billing.etax.popbill import PopbillIssuer
from tests.contracts.etax import client, document, fake, service
from tests.factories import NOON
from tests.fakes import etax as fakes
from tests.fakes.etax import Clock, Issuer

__all__ = ["client", "fake", "service"]  # fixtures


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknownField": "1"},
        {"writeDate": "2026-11-30"},
        {"writeDate": "20261230"},  # to come
        {"supplyCostTotal": "10005.5"},
        {"supplyCostTotal": 10005},
        {"totalAmount": "1"},
        {"taxType": "비과세"},
        {"detailList": []},
        {"invoicerMgtKey": "가나다"},
        {"invoicerMgtKey": "1" * 25},
        {"invoicerCorpNum": "1248100998"},
        {"invoiceeCEOName": ""},
        {"purposeType": "청구서"},
        {"modifyCode": 7},
        {"orgNTSConfirmNum": "1" * 24},
    ],
)
def test_the_fake_is_strict(fake: Issuer, client: PopbillIssuer, wrong: dict[str, object]) -> None:
    body = shapes.of_document(document()) | wrong
    client.certificate()  # for a token

    answer = httpx2.post(
        f"{fake.url}/Taxinvoice",
        json=body,
        headers={
            "Authorization": f"Bearer {client._token}",
            "X-HTTP-Method-Override": "ISSUE",
        },
    )

    assert answer.status_code == 400
    assert fake.kept == {}


def test_the_fake_lets_nobody_in_without_a_token(fake: Issuer) -> None:
    for path in ("/Taxinvoice/SELL/1", "/Taxinvoice?cfg=CERT"):
        assert httpx2.get(fake.url + path).status_code == 401
    assert httpx2.post(f"{fake.url}/control", json={"wrong": "down"}).status_code == 401


def test_the_fake_misbehaves_on_demand(fake: Issuer, client: PopbillIssuer) -> None:
    answer = httpx2.post(
        f"{fake.url}/control",
        json={"wrong": "down", "times": 1},
        headers={"Authorization": f"Bearer {fakes.SECRET}"},
    )

    assert answer.json()["wrong"] == "down"
    with pytest.raises(Unavailable):
        client.certificate()
    assert client.certificate().fault == ""


def test_the_fake_keeps_its_documents_over_a_restart(tmp_path: Path) -> None:
    made = document()
    with fakes.issuer(Clock(), folder=tmp_path) as first:
        fakes.client(first).issue(made)

    with fakes.issuer(Clock(NOON + timedelta(hours=2)), folder=tmp_path) as second:
        found = fakes.client(second).state(made.key)

    assert found is not None and found.stage is Stage.ACCEPTED
