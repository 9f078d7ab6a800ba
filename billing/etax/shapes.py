"""popbill's words: our document as its ``Taxinvoice``, its answers as ours. Pure.

Source of the fields and codes: the public SDK (linkhub-sdk/popbill.py) and developers.popbill.com,
"Status Code for e-Tax invoice".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from billing.etax.contract import Certificate, Known, Stage, Unavailable
from billing.etax.documents import Document, Line, Party, Purpose, TaxKind
from portal.lib.periods import SEOUL

TAX = {TaxKind.TAXABLE: "과세", TaxKind.ZERO_RATED: "영세", TaxKind.EXEMPT: "면세"}
PURPOSE = {Purpose.CLAIM: "청구", Purpose.RECEIPT: "영수"}
STAGES = {
    100: Stage.DRAFT,
    300: Stage.ISSUED,
    301: Stage.ISSUED,  # before filing
    302: Stage.ISSUED,  # waiting for filing
    303: Stage.SENT,
    304: Stage.ACCEPTED,
    305: Stage.REJECTED,
    600: Stage.WITHDRAWN,
}
NOT_FOUND = "-11000005"
_DOCUMENT_CODES = (
    "-110"  # what is wrong with a document; everything else is about us or the service
)
_SIGNING_CODES = {"-11002031", "-10002009"}  # certificate not valid, not found


def of_document(one: Document) -> dict[str, Any]:
    """The body of ``registIssue``. Amounts are texts of whole won."""
    found: dict[str, Any] = {
        "writeDate": one.write_date.strftime("%Y%m%d"),
        "chargeDirection": "정과금",
        "issueType": "정발행",
        "purposeType": PURPOSE[one.purpose],
        "taxType": TAX[one.tax],
        "supplyCostTotal": str(one.supply_won),
        "taxTotal": str(one.vat_won),
        "totalAmount": str(one.total_won),
        "remark1": one.remark,
        "detailList": [_detail(place, line) for place, line in enumerate(one.lines, start=1)],
        "forceIssue": True,  # late is dearer than in time, and never is dearer still
        **_supplier(one.supplier, one.key),
        **_buyer(one.buyer),
    }
    if one.amendment is not None:
        found["modifyCode"] = int(one.amendment.code)
        found["orgNTSConfirmNum"] = one.amendment.original_approval
    return found


def _supplier(party: Party, key: str) -> dict[str, Any]:
    return {
        "invoicerCorpNum": party.number,
        "invoicerMgtKey": key,
        "invoicerTaxRegID": party.place,
        "invoicerCorpName": party.name,
        "invoicerCEOName": party.representative,
        "invoicerAddr": party.address,
        "invoicerBizType": party.trade,
        "invoicerBizClass": party.item,
        "invoicerContactName": party.contact,
        "invoicerEmail": party.email,
    }


def _buyer(party: Party) -> dict[str, Any]:
    return {
        "invoiceeType": "사업자",
        "invoiceeCorpNum": party.number,
        "invoiceeTaxRegID": party.place,
        "invoiceeCorpName": party.name,
        "invoiceeCEOName": party.representative,
        "invoiceeAddr": party.address,
        "invoiceeBizType": party.trade,
        "invoiceeBizClass": party.item,
        "invoiceeContactName1": party.contact,
        "invoiceeEmail1": party.email,
    }


def _detail(place: int, line: Line) -> dict[str, Any]:
    return {
        "serialNum": place,
        "purchaseDT": line.day.strftime("%Y%m%d") if line.day else "",
        "itemName": line.name,
        "supplyCost": str(line.supply_won),
        "tax": str(line.vat_won),
        "remark": line.remark,
    }


# ─── answers ───────────────────────────────────────────────────────────────────────────────────


class _Said(msgspec.Struct):
    code: int
    message: str = ""
    ntsConfirmNum: str = ""


class _Info(msgspec.Struct):
    stateCode: int
    invoicerMgtKey: str
    invoiceeCorpNum: str = ""
    supplyCostTotal: str = ""
    taxTotal: str = ""
    issueDT: str = ""
    ntsconfirmNum: str | None = None
    ntssendErrCode: str | None = None
    stateMemo: str | None = None


class _Cert(msgspec.Struct):
    certificateExpiration: str


def said(raw: bytes) -> tuple[str, str, str]:
    """(code, message, approval number) of a short answer. ``Unavailable`` if it is none."""
    one = _decoded(raw, _Said)
    return str(one.code), one.message[:300], one.ntsConfirmNum


def is_about_the_document(code: str) -> bool:
    """Whether a refusal stays one until the document is changed."""
    return code.startswith(_DOCUMENT_CODES) and code not in _SIGNING_CODES


def is_about_signing(code: str) -> bool:
    """Whether the supplier's certificate cannot sign."""
    return code in _SIGNING_CODES


def known(raw: bytes, *, key: str) -> Known:
    """A document's state. ``Unavailable`` for an answer about another one or in strange words."""
    one = _decoded(raw, _Info)
    if one.invoicerMgtKey != key:
        raise Unavailable("The answer is about another document.")
    stage = STAGES.get(one.stateCode)
    if stage is None:
        raise Unavailable(f"Unknown state {one.stateCode}.")
    return Known(
        key=key,
        stage=stage,
        approval=one.ntsconfirmNum or "",
        issued_at=_moment(one.issueDT),
        buyer_number=one.invoiceeCorpNum,
        supply_won=_won(one.supplyCostTotal),
        vat_won=_won(one.taxTotal),
        code=one.ntssendErrCode or "",
        sentence=(one.stateMemo or "")[:300],
    )


def certificate(raw: bytes) -> Certificate:
    """Until when the supplier can sign."""
    moment = _moment(_decoded(raw, _Cert).certificateExpiration)
    if moment is None:
        raise Unavailable("The certificate's end makes no sense.")
    return Certificate(moment)


def _decoded[Shape](raw: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The text of the error may quote the answer, and that the customer.
        raise Unavailable("The answer makes no sense.") from None


def _won(text: str) -> int | None:
    """Whole won; popbill writes ``10000`` and ``10000.0``."""
    whole, _, part = text.partition(".")
    digits = whole.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or part.strip("0"):
        return None
    return int(whole)


def _moment(text: str) -> datetime | None:
    """``20261120153000``, in Korea."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=SEOUL)
    except ValueError:
        return None
