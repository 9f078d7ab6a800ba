"""The words of printed documents, in both languages. They are not translated with the pages:
a document is in its own language, whoever looks at it. Pure."""

from __future__ import annotations

from billing.vat import ZERO, VatRule

WORDS: dict[str, tuple[str, str]] = {
    "invoice": ("청구서", "Invoice"),
    "credit_note": ("청구 취소서", "Credit note"),
    "interim": ("중간 청구", "Interim"),
    "corrected": ("정정", "Corrected"),
    "in_place_of": ("정정 전 청구서", "In place of invoice"),
    "in_place": (
        "이 청구서는 위의 정정 전 청구서를 갈음합니다. 그 청구서는 {note}로 취소했습니다.",
        "This invoice stands in place of the one named above, which {note} took back.",
    ),
    "no_vat": ("영세율 또는 면세 공급으로 부가가치세가 없습니다.", "Zero-rated or exempt: no VAT."),
    "copy": ("", "English copy. The Korean original counts."),
    "number": ("번호", "Number"),
    "seller": ("공급자", "Supplier"),
    "buyer": ("공급받는 자", "Customer"),
    "business_number": ("사업자등록번호", "Business number"),
    "representative": ("대표", "Represented by"),
    "period": ("사용 기간", "Period of use"),
    "issued": ("발행일", "Issued"),
    "due": ("납부 기한", "Due"),
    "to_pay": ("청구 금액", "To be paid"),
    "credited": ("취소 금액", "Credited"),
    "corrects": ("대상 청구서", "Corrects invoice"),
    "because": ("사유", "Reason"),
    "month": ("사용 월", "Month"),
    "what": ("내용", "What"),
    "quantity": ("수량", "Quantity"),
    "price": ("단가", "Unit price"),
    "amount": ("공급가액", "Supply value"),
    "supply": ("공급가액 합계", "Supply value"),
    "vat": ("부가가치세 10%", "VAT 10%"),
    "vat_none": ("부가가치세 (영세율·면세)", "VAT (zero-rated or exempt)"),
    "interest": ("연체이자 (과세 대상 아님)", "Late interest (not taxed)"),
    "total": ("합계 (VAT 포함)", "Total with VAT"),
    "carried": ("여기까지 소계", "Carried forward"),
    "brought": ("앞쪽에서 이월", "Brought forward"),
    "clock": (
        "모든 시각은 한국 표준시(KST)입니다.",
        "All times are Korea Standard Time (KST).",
    ),
    "rounding": (
        "줄마다 원 단위로 한 번 반올림합니다.",
        "Each line is rounded once to whole won.",
    ),
    "rest": (
        "이 청구서는 위 기간까지의 중간 청구입니다. 월말 청구서에는 나머지만 나옵니다.",
        "This is an interim invoice up to the moment above. The month end bills the rest.",
    ),
    "no_tax_invoice": ("이 문서는 세금계산서가 아닙니다.", "This is not a tax invoice."),
    "unchanged": (
        "발행한 청구서는 바꾸지 않습니다. 이 문서가 그 가운데 위 금액을 취소합니다.",
        "An issued invoice never changes. This document takes back the amounts above.",
    ),
    "paid_from": ("재원", "Paid from"),
    "paid": ("금액 (VAT 포함)", "Amount with VAT"),
    "from_own": ("자체 예산", "Own money"),
    "from_prepaid": ("선불 크레딧", "Prepaid credit"),
    "from_voucher": ("바우처", "Voucher"),
    "from_subsidy": ("보조금", "Subsidy"),
    "share_of": ("자부담:", "own share of"),
    "tokens": ("토큰", "tokens"),
    "per_million": ("100만\u00a0토큰당", "per\u00a01M\u00a0tokens"),
    "card_hours": ("카드·시간", "card-hours"),
    "per_hour": ("1시간당", "per\u00a0hour"),
    "gb_days": ("GB·일", "GB-days"),
    "per_gb_day": ("GB·일당", "per\u00a0GB-day"),
}

_ROUNDING = {
    "truncate": ("1원 미만을 버립니다", "cut off below one won"),
    "half_up": ("1원 미만을 반올림합니다", "rounded half up to whole won"),
    "up": ("1원 미만을 올립니다", "rounded up to whole won"),
}


def word(name: str, language: str) -> str:
    """``ko`` or ``en``."""
    korean, english = WORDS[name]
    return korean if language == "ko" else english


def vat_sentence(rule: VatRule, language: str) -> str:
    """How the tax was computed."""
    if rule.rounding == ZERO:
        return word("no_vat", language)
    korean, english = _ROUNDING[rule.rounding]
    if language == "ko":
        base = "줄마다 공급가액" if rule.per_line else "공급가액 합계"
        text = f"부가가치세는 {base}의 10%에서 {korean}."
        cut = " 국고금 관리법에 따라 합계의 10원 미만 끝수를 뺐습니다."
    else:
        base = "of each line" if rule.per_line else "of the supply value"
        text = f"VAT is 10 % {base}, {english}."
        cut = " The total is cut to ten won (Treasury Funds Act)."
    return text + (cut if rule.ten_won else "")
