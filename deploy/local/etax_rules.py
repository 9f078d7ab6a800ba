"""What the made-up issuer refuses of a document, with popbill's codes where they are published."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.lib.periods import SEOUL

if TYPE_CHECKING:
    from deploy.local.etax import Issuer

Refusal = dict[str, Any]
MOST_LINES = 99

# Field → longest text; None for what is checked by itself.
KNOWN: dict[str, int | None] = {
    "writeDate": 8,
    "chargeDirection": 3,
    "issueType": 4,
    "purposeType": 2,
    "taxType": 2,
    "supplyCostTotal": 18,
    "taxTotal": 18,
    "totalAmount": 18,
    "remark1": 150,
    "detailList": None,
    "forceIssue": None,
    "modifyCode": None,
    "orgNTSConfirmNum": 24,
    **{
        f"{who}{name}": longest
        for who in ("invoicer", "invoicee")
        for name, longest in (
            ("CorpNum", 10),
            ("TaxRegID", 4),
            ("CorpName", 200),
            ("CEOName", 100),
            ("Addr", 300),
            ("BizType", 100),
            ("BizClass", 100),
        )
    },
    "invoicerMgtKey": 24,
    "invoicerContactName": 100,
    "invoicerEmail": 100,
    "invoiceeType": 5,
    "invoiceeContactName1": 100,
    "invoiceeEmail1": 100,
}
NEEDED = {
    "writeDate": -11001001,
    "issueType": -11001003,
    "purposeType": -11001004,
    "taxType": -11001005,
    "chargeDirection": -11001012,
    "invoicerCorpNum": -11001013,
    "invoicerCorpName": -11001015,
    "invoicerCEOName": -11001016,
    "invoiceeCorpNum": -11001020,
    "invoiceeCorpName": -11001022,
    "invoiceeCEOName": -11001023,
}
DETAIL = {"serialNum", "purchaseDT", "itemName", "supplyCost", "tax", "remark"}


def _no(code: int, message: str) -> Refusal:
    return {"code": code, "message": f"{message} (모의)"}


def refusal(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    """Why the document is not taken; ``None`` if it is."""
    checks = (_words, _parties, _dates, _amounts, _lines, _amended, _taken)
    return next((found for check in checks if (found := check(body, issuer))), None)


def _words(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    if unknown := sorted(set(body) - set(KNOWN)):
        return _no(-11001999, f"알 수 없는 항목: {', '.join(unknown)}")
    for name, code in NEEDED.items():
        if not body.get(name):
            return _no(code, f"{name} 항목이 없습니다.")
    for name, longest in KNOWN.items():
        text = body.get(name, "")
        if longest is not None and not isinstance(text, str):
            return _no(-11001998, f"{name} 항목은 글자여야 합니다.")
        if longest is not None and len(text) > longest:
            return _no(-11001997, f"{name} 항목이 {longest}자를 넘습니다.")
    return None


def _parties(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    if body["invoicerCorpNum"] != issuer.number:
        return _no(-11001000, "회원의 사업자번호와 공급자가 다릅니다.")
    if issuer.certificate_days < 0:
        return _no(-11002031, "인증서가 만료되었습니다.")
    if not _is_business_number(body["invoiceeCorpNum"]):
        return _no(-11001021, "공급받는자 사업자번호가 유효하지 않습니다.")
    if body["invoiceeCorpNum"][5:9] == "9913":
        return _no(-11001021, "공급받는자 사업자번호가 유효하지 않습니다.")
    if body["invoiceeType"] != "사업자" or body["issueType"] != "정발행":
        return _no(-11001011, "발행 형태가 올바르지 않습니다.")
    if body["chargeDirection"] != "정과금" or body["purposeType"] not in {"영수", "청구"}:
        return _no(-11001004, "영수·청구가 올바르지 않습니다.")
    return None


def _is_business_number(text: str) -> bool:
    """Ten digits with their check digit; a rule of its own, since this stands for another party."""
    if not re.fullmatch(r"[0-9]{10}", text) or text == "0" * 10:
        return False
    digits = [int(one) for one in text]
    total = sum(
        one * weight for one, weight in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False)
    )
    return (10 - (total + digits[8] * 5 // 10) % 10) % 10 == digits[9]


def _dates(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    try:
        day = datetime.strptime(body["writeDate"], "%Y%m%d").replace(tzinfo=SEOUL).date()
    except ValueError:
        return _no(-11001001, "작성일자가 날짜가 아닙니다.")
    today = issuer.clock().astimezone(SEOUL).date()
    if day > today:
        return _no(-11001034, "작성일자가 발행일보다 늦습니다.")
    return None


def _won(text: object) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _amounts(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    supply, tax, total = (
        _won(body.get(name)) for name in ("supplyCostTotal", "taxTotal", "totalAmount")
    )
    if supply is None or tax is None or total is None:
        return _no(-11001030, "금액은 소수점 없는 원이어야 합니다.")
    if supply + tax != total:
        return _no(-11001031, "합계가 맞지 않습니다.")
    if supply * tax < 0:
        return _no(-11001032, "공급가액과 세액의 부호가 다릅니다.")
    if body["taxType"] not in {"과세", "영세", "면세"} or (body["taxType"] != "과세" and tax):
        return _no(-11001033, "과세형태와 세액이 맞지 않습니다.")
    if supply < 0 and "modifyCode" not in body:
        return _no(-11001035, "음수 금액은 수정 발행에만 쓸 수 있습니다.")
    return None


def _lines(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    lines = body.get("detailList")
    if not isinstance(lines, list) or not 0 < len(lines) <= MOST_LINES:
        return _no(-11001040, "품목은 1줄에서 99줄까지입니다.")
    for place, line in enumerate(lines, start=1):
        if set(line) - DETAIL or line.get("serialNum") != place:
            return _no(-11001041, f"{place}번째 품목이 올바르지 않습니다.")
        if _won(line.get("supplyCost")) is None or _won(line.get("tax")) is None:
            return _no(-11001042, f"{place}번째 품목의 금액이 올바르지 않습니다.")
        if not 0 < len(line.get("itemName", "")) <= 100:
            return _no(-11001043, f"{place}번째 품목명이 올바르지 않습니다.")
    for name, total in (("supplyCost", "supplyCostTotal"), ("tax", "taxTotal")):
        if sum(int(line[name]) for line in lines) != int(body[total]):
            return _no(-11001044, "품목의 합이 합계와 다릅니다.")
    return None


def _amended(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    code = body.get("modifyCode")
    if code is None:
        return None if not body.get("orgNTSConfirmNum") else _no(-11001009, "수정사유가 없습니다.")
    if code not in range(1, 7):
        return _no(-11001009, "수정사유 코드가 올바르지 않습니다.")
    known = {one.approval: one for one in issuer.kept.values()}
    original = known.get(body.get("orgNTSConfirmNum", ""))
    if original is None or issuer.state_of(original) != 304:
        return _no(-11001045, "당초 승인번호가 국세청에 없습니다.")
    if code in {3, 4} and int(body["totalAmount"]) >= 0:
        return _no(-11001010, "환입과 계약 해제는 음수 금액만 됩니다.")
    return None


def _taken(body: dict[str, Any], issuer: Issuer) -> Refusal | None:
    key = body.get("invoicerMgtKey", "")
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,24}", key):
        return _no(-11000006, "문서번호가 올바르지 않습니다.")
    if key in issuer.kept:
        return _no(-11000004, "이미 사용 중인 문서번호입니다.")
    return None
