"""The first version of what customers agree to. A later version is one more migration."""

from datetime import UTC, datetime

from django.db import migrations

VERSION = "2026-11-01"
EFFECTIVE = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)  # midnight in Korea

SERVICE_KO = """제1조 (목적) 이 약관은 두레가 제공하는 추론 엔드포인트, API 키, 사용량과 청구 기능의 이용 조건을 정합니다.

제2조 (가입) 기관은 사업자등록번호 또는 고유번호로 가입합니다. 국세청 상태 조회나 운영자의 서류 확인이 끝나기 전에는 테스트 키로 무료 모델만 쓸 수 있습니다.

제3조 (휴업과 폐업) 국세청이 휴업이나 폐업으로 답하면 새 주문을 받지 않습니다. 조회, 납부, 중지는 계속할 수 있습니다. 사유는 소유자에게 알립니다.

제4조 (요금) 토큰과 카드 시간은 주문할 때 보인 단가로 계산합니다. 예산 한도를 넘는 주문과 호출은 거절합니다. 청구서는 한국 표준시 기준 달력 월로 발행합니다.

제5조 (데이터) 요청과 답변의 내용은 저장하지 않습니다. 프로젝트의 데이터 등급이 허용하지 않는 사이트로는 보내지 않습니다.

제6조 (해지) 소유자는 언제든 해지할 수 있습니다. 마지막 청구서와 법이 정한 기록은 남습니다."""

SERVICE_EN = """1 (Purpose) These terms govern the inference endpoints, API keys, usage and invoices that Dure provides.

2 (Sign-up) An organization signs up with its business number or unique number. Until the National Tax Service's status look-up or the operator's reading of documents has confirmed it, only the free test model can be used, with test keys.

3 (Suspended and closed businesses) While the National Tax Service answers that a business is suspended or closed, no new order is taken. Reading, paying and stopping go on. Owners are told the reason.

4 (Prices) Tokens and card time are charged at the unit prices shown with the order. Orders and calls beyond the budget's limit are refused. Invoices are issued by calendar month, Korea Standard Time.

5 (Data) The content of requests and answers is not kept. Nothing is sent to a site that the project's data class does not allow.

6 (End) An owner may end the contract at any time. The last invoice and the records that law requires remain."""

PRIVACY_KO = """1. 수집하는 항목: 이름, 이메일 주소, 접속 주소와 시각, 가입할 때 낸 기관의 번호와 증빙 서류.

2. 목적: 가입 확인, 로그인, 청구, 법이 정한 접속 기록 보관, 장애와 보안 사고 대응.

3. 보관 기간: 접속 기록은 2년, 권한 기록은 3년, 거래 기록은 관계 법령이 정한 기간입니다. 그 뒤에는 지웁니다.

4. 제공: 사업자등록번호는 상태를 확인하려고 국세청 사업자등록정보 조회 서비스에 보냅니다. 그 밖의 개인정보는 다른 곳에 제공하지 않습니다.

5. 거부할 권리: 동의하지 않을 수 있으나, 동의하지 않으면 가입할 수 없습니다."""

PRIVACY_EN = """1. What is collected: name, e-mail address, address and time of access, and the numbers and documents that the organization hands in at sign-up.

2. What for: confirming the sign-up, signing in, invoices, access records that law requires, and answering outages and security incidents.

3. How long: access records two years, records of rights three years, records of trade as long as the law says. Afterwards they are erased.

4. Passed on: the business number is sent to the National Tax Service's look-up of business registrations, to learn its status. No other personal data are passed on.

5. Right to refuse: you may refuse; without consent there is no sign-up."""

DOCUMENTS = [
    ("service", "두레 이용약관", "Terms of service", SERVICE_KO, SERVICE_EN),
    (
        "privacy",
        "개인정보 수집·이용 동의",
        "Consent to the use of personal data",
        PRIVACY_KO,
        PRIVACY_EN,
    ),
]


def write(apps, schema_editor):
    apps.get_model("tenants", "Terms").objects.using(schema_editor.connection.alias).bulk_create(
        apps.get_model("tenants", "Terms")(
            public_id=f"{document}-{VERSION}",
            document=document,
            version=VERSION,
            effective_at=EFFECTIVE,
            title_ko=title_ko,
            title_en=title_en,
            text_ko=text_ko,
            text_en=text_en,
        )
        for document, title_ko, title_en, text_ko, text_en in DOCUMENTS
    )


class Migration(migrations.Migration):
    replaces = [("tenants", "0024_quota_raises")]

    dependencies = [("tenants", "0003_baseline_audit")]

    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
