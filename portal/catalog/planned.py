"""What the chip makers announce and nobody has shown here yet. Facts as data; read 2026-11-23.

None of it can be ordered: the evidence is *claimed*, and no digest of weights is known. A customer
sees what is planned, with each figure's source. Once it has run, an operator moves the evidence
(``portal.catalog.evidence``); loading this again never takes that back.

Context lengths, sizes and licences are those of the publishers' model cards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from portal.catalog import artifacts, settings_of
from portal.catalog.models import CatalogModel, Chip, Evidence, Figure, Offering, Version
from portal.lib import ids

READ = date(2026, 11, 23)
FURIOSA, RBLN = "furiosa-llm 2026.4.0", "vllm-rbln 0.12.0"

_RBLN_DOCS = ("Rebellions documentation", "https://docs.rbln.ai/")
_FURIOSA_DOCS = ("FuriosaAI developer documentation", "https://developer.furiosa.ai/")
_ATOM = ("rebellions.ai/ATOM", "RBLN", "unverified", *_RBLN_DOCS)

# code, vendor, name, memory GiB, TDP watts, devices, Kubernetes, Ray, mark, source, address
CHIPS: list[tuple[Any, ...]] = [
    (
        *("rngd", "FuriosaAI", "RNGD", 48, 180, 1),
        *("furiosa.ai/rngd", "FURIOSA", "vendor", *_FURIOSA_DOCS),
    ),
    ("atom-max", "Rebellions", "ATOM-Max", 64, 350, 4, *_ATOM),
    ("atom-plus", "Rebellions", "ATOM+", 16, 130, 1, *_ATOM),
    (
        *("rebel100", "Rebellions", "Rebel100", 144, 600, 1),
        *("rebellions.ai/REBEL", "RBLN", "second_hand", *_RBLN_DOCS),
    ),
    ("atom", "Rebellions", "ATOM", 16, 130, 1, *_ATOM),
    (
        *("warboy", "FuriosaAI", "Warboy", 16, 60, 1),
        *("furiosa.ai/warboy", "FURIOSA", "unverified", *_FURIOSA_DOCS),
    ),
]

_LLAMA = "en de fr it pt hi es th"
_QWEN = "en zh ko ja de fr es it pt ru ar vi th id"

# slug, kind, name, publisher, licence, millions of parameters, context, languages, repository
MODELS: list[tuple[Any, ...]] = [
    (
        *("llama-3-1-8b-instruct", "chat", "Llama 3.1 8B Instruct", "Meta", "Llama 3.1 Community"),
        *(8030, 131072, _LLAMA, "meta-llama/Llama-3.1-8B-Instruct"),
    ),
    (
        *(
            "llama-3-1-70b-instruct",
            "chat",
            "Llama 3.1 70B Instruct",
            "Meta",
            "Llama 3.1 Community",
        ),
        *(70553, 131072, _LLAMA, "meta-llama/Llama-3.1-70B-Instruct"),
    ),
    (
        *(
            "llama-3-3-70b-instruct",
            "chat",
            "Llama 3.3 70B Instruct",
            "Meta",
            "Llama 3.3 Community",
        ),
        *(70553, 131072, _LLAMA, "meta-llama/Llama-3.3-70B-Instruct"),
    ),
    (
        *("llama-3-2-1b-instruct", "chat", "Llama 3.2 1B Instruct", "Meta", "Llama 3.2 Community"),
        *(1236, 131072, _LLAMA, "meta-llama/Llama-3.2-1B-Instruct"),
    ),
    (
        *(
            "exaone-3-5-2-4b-instruct",
            "chat",
            "EXAONE 3.5 2.4B",
            "LG AI Research",
            "EXAONE 1.1 - NC",
        ),
        *(2405, 32768, "ko en", "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct"),
    ),
    (
        *(
            "exaone-3-5-7-8b-instruct",
            "chat",
            "EXAONE 3.5 7.8B",
            "LG AI Research",
            "EXAONE 1.1 - NC",
        ),
        *(7818, 32768, "ko en", "LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct"),
    ),
    (
        *("exaone-4-0-32b", "chat", "EXAONE 4.0 32B", "LG AI Research", "EXAONE 1.2 - NC"),
        *(32003, 131072, "ko en es", "LGAI-EXAONE/EXAONE-4.0-32B"),
    ),
    (
        *("k-exaone-236b-a23b", "chat", "K-EXAONE 236B-A23B", "LG AI Research", "K-EXAONE"),
        *(236000, 262144, "ko en es de ja vi", "LGAI-EXAONE/K-EXAONE-236B-A23B"),
    ),
    (
        *("gpt-oss-20b", "chat", "gpt-oss 20B", "OpenAI", "Apache-2.0"),
        *(20900, 131072, "en", "openai/gpt-oss-20b"),
    ),
    (
        *("gpt-oss-120b", "chat", "gpt-oss 120B", "OpenAI", "Apache-2.0"),
        *(116800, 131072, "en", "openai/gpt-oss-120b"),
    ),
    ("qwen3-4b", "chat", "Qwen3 4B", "Alibaba", "Apache-2.0", 4022, 32768, _QWEN, "Qwen/Qwen3-4B"),
    ("qwen3-8b", "chat", "Qwen3 8B", "Alibaba", "Apache-2.0", 8191, 32768, _QWEN, "Qwen/Qwen3-8B"),
    (
        *("qwen3-coder-30b-a3b-instruct", "chat", "Qwen3 Coder 30B-A3B", "Alibaba", "Apache-2.0"),
        *(30532, 262144, _QWEN, "Qwen/Qwen3-Coder-30B-A3B-Instruct"),
    ),
    (
        *("midm-2-0-base-instruct", "chat", "Mi:dm 2.0 Base", "KT", "MIT"),
        *(11500, 32768, "ko en", "K-intelligence/Midm-2.0-Base-Instruct"),
    ),
    (
        *("koni-llama3-1-8b-instruct", "chat", "KONI Llama 3.1 8B", "KISTI", "Llama 3.1 Community"),
        *(8030, 131072, "ko en", "KISTI-KONI/KONI-Llama3.1-8B-Instruct-20241024"),
    ),
    (
        *("qwen3-embedding-8b", "embedding", "Qwen3 Embedding 8B", "Alibaba", "Apache-2.0"),
        *(7568, 32768, _QWEN, "Qwen/Qwen3-Embedding-8B"),
    ),
    (
        "bge-m3",
        "embedding",
        "BGE-M3",
        "BAAI",
        "MIT",
        568,
        8192,
        "ko en zh ja de fr es",
        "BAAI/bge-m3",
    ),
]

_PLANNED_KO = "제조사가 지원한다고 발표한 모델입니다. 두레의 사이트에서는 아직 확인하지 않았습니다."
_PLANNED_EN = "The chip makers say that it is supported. Nobody has checked it at our sites yet."


@dataclass(frozen=True, slots=True)
class Planned:
    """One announced combination. ``why``: of the number of cards; a key of ``NOTES``."""

    model: str
    chip: str
    cards: int
    why: str
    sdk: str
    settings: dict[str, object] = field(default_factory=dict)


NOTES: dict[str, tuple[str, str]] = {
    "guide": ("제조사 안내서에 있는 구성입니다.", "As in the vendor's guide."),
    "derived": (
        "카드 수는 메모리로 계산한 값입니다. 발표된 구성이 아닙니다.",
        "The number of cards is computed from memory; no vendor names it.",
    ),
    "benchmark": ("발표된 시험의 구성입니다.", "As in the published benchmark."),
    "example": ("제조사 공개 예제의 구성입니다.", "As in a public example of the vendor."),
}
_FP8: dict[str, object] = {"precision": "fp8"}


def _spread(devices: int, **more: object) -> dict[str, object]:
    return {"num_devices": devices, **more}


OFFERINGS = [
    Planned("llama-3-1-8b-instruct", "rngd", 1, "benchmark", FURIOSA, _FP8),
    Planned("llama-3-1-70b-instruct", "rngd", 8, "benchmark", FURIOSA, _FP8),
    Planned("llama-3-3-70b-instruct", "rngd", 8, "derived", FURIOSA, _FP8),
    Planned("llama-3-2-1b-instruct", "rngd", 1, "derived", FURIOSA),
    Planned("exaone-3-5-2-4b-instruct", "rngd", 1, "derived", FURIOSA),
    Planned("exaone-3-5-7-8b-instruct", "rngd", 1, "guide", FURIOSA),
    Planned(
        *("exaone-4-0-32b", "rngd", 4, "benchmark", FURIOSA),
        {"precision": "fp8", "reasoning_parser": "exaone4"},
    ),
    Planned("k-exaone-236b-a23b", "rngd", 8, "derived", FURIOSA, _FP8),
    Planned("gpt-oss-20b", "rngd", 1, "derived", FURIOSA, {"tool_call_parser": "openai"}),
    Planned("gpt-oss-120b", "rngd", 2, "derived", FURIOSA, {"tool_call_parser": "openai"}),
    Planned("qwen3-4b", "rngd", 1, "derived", FURIOSA, {"reasoning_parser": "qwen3"}),
    Planned("qwen3-8b", "rngd", 1, "derived", FURIOSA, {"reasoning_parser": "qwen3"}),
    Planned(
        *("qwen3-coder-30b-a3b-instruct", "rngd", 1, "derived", FURIOSA),
        {"precision": "fp8", "tool_call_parser": "hermes"},
    ),
    Planned("qwen3-embedding-8b", "rngd", 1, "derived", FURIOSA),
    Planned("llama-3-2-1b-instruct", "atom-plus", 1, "guide", RBLN, _spread(1)),
    Planned("exaone-3-5-2-4b-instruct", "atom-plus", 1, "guide", RBLN, _spread(1)),
    Planned("bge-m3", "atom-plus", 1, "derived", RBLN, _spread(1)),
    Planned("koni-llama3-1-8b-instruct", "atom-plus", 4, "example", "vllm-rbln 0.10.2", _spread(4)),
    Planned("llama-3-1-8b-instruct", "atom-plus", 4, "example", RBLN, _spread(4)),
    Planned("llama-3-1-8b-instruct", "atom-max", 1, "example", RBLN, _spread(4)),
    Planned("exaone-3-5-7-8b-instruct", "atom-max", 1, "example", RBLN, _spread(4)),
    Planned("qwen3-4b", "atom-max", 1, "example", RBLN, _spread(4, max_model_len=8192)),
    Planned("qwen3-8b", "atom-max", 1, "example", RBLN, _spread(4)),
    Planned("midm-2-0-base-instruct", "atom-max", 1, "derived", RBLN, _spread(4)),
    Planned("exaone-4-0-32b", "atom-max", 4, "derived", RBLN, _spread(16)),
    Planned(
        *("llama-3-1-70b-instruct", "atom-max", 4, "example", RBLN),
        _spread(16, attention="flash", kvcache_partition_len=16384),
    ),
]

_QUOTED = ("second_hand", "b-lab.team, quoting FuriosaAI", "https://b-lab.team/")
# model and chip, kind, value, conditions in Korean and English, mark, source, address
FIGURES: list[tuple[Any, ...]] = [
    (
        *(("llama-3-1-8b-instruct", "rngd"), "tokens_per_second", "3935"),
        *(
            "FP8, 카드 1장, 입력 128·출력 4,096, 동시 처리",
            "FP8, 1 card, 128 in, 4,096 out, batched",
        ),
        *_QUOTED,
    ),
    (
        *(("llama-3-1-8b-instruct", "rngd"), "tokens_per_second", "3300"),
        *("SDK 2024.2 발표 자료", "Release notes of SDK 2024.2", "vendor"),
        *("FuriosaAI release notes 2024.2", "https://developer.furiosa.ai/"),
    ),
    (
        *(("llama-3-1-70b-instruct", "rngd"), "tokens_per_second", "957"),
        *("FP8, 카드 8장, 입력 2,048·출력 128", "FP8, 8 cards, 2,048 in, 128 out", *_QUOTED),
    ),
    (
        *(("exaone-4-0-32b", "rngd"), "tokens_per_second", "60"),
        *("카드 4장, 요청 1건", "4 cards, one request", "unverified", "LG AI Research", ""),
    ),
]


@transaction.atomic
def load() -> None:
    """Write what is missing and correct names and sources. Nothing is deleted, and no evidence is
    touched. A few statements for each table, however much is announced."""
    chips = _chips()
    models = _models()
    versions = _versions(models)
    offerings = _offerings(versions, chips, models)
    artifacts.fill(offerings)
    _figures(offerings)


def _chips() -> dict[str, Chip]:
    fields = [
        *("code", "vendor", "name_en", "memory_gib", "tdp_watts", "devices", "resource"),
        *("ray_resource", "mark", "source_name", "source_url"),
    ]
    rows = [dict(zip(fields, row, strict=True)) for row in CHIPS]
    Chip.objects.bulk_create(
        [
            Chip(name_ko=row["name_en"], order=number, source_date=READ, **row)
            for number, row in enumerate(rows)
        ],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=[*fields[1:], "name_ko", "order", "source_date"],
    )
    return {chip.code: chip for chip in Chip.objects.all()}


def _models() -> dict[str, CatalogModel]:
    fields = [
        *("kind", "name_ko", "name_en", "description_ko", "description_en", "publisher"),
        *("licence", "parameters_millions", "answers_korean", "context_tokens"),
    ]
    CatalogModel.objects.bulk_create(
        [
            CatalogModel(
                slug=slug,
                kind=kind,
                name_ko=name,
                name_en=name,
                description_ko=_PLANNED_KO,
                description_en=_PLANNED_EN,
                publisher=publisher,
                licence=licence,
                parameters_millions=millions,
                answers_korean="ko" in languages.split(),
                context_tokens=context,
                default_max_tokens=0 if kind == "embedding" else 1024,
                template_tokens=64,
            )
            for slug, kind, name, publisher, licence, millions, context, languages, _ in MODELS
        ],
        update_conflicts=True,
        unique_fields=["slug"],
        update_fields=fields,
    )
    slugs = [model[0] for model in MODELS]
    return {model.slug: model for model in CatalogModel.objects.filter(slug__in=slugs)}


def _versions(models: dict[str, CatalogModel]) -> dict[str, Version]:
    """The current version of each; one without a digest where there is none yet."""
    have = set(
        Version.objects.filter(model__in=models.values(), current=True).values_list(
            "model_id", flat=True
        )
    )
    Version.objects.bulk_create(
        Version(
            model=models[slug],
            label="–",
            repository=repository,
            licence=licence,
            context_tokens=context,
            languages=languages.split(),
            modalities=["text"],
        )
        for slug, _, _, _, licence, _, context, languages, repository in MODELS
        if models[slug].pk not in have
    )
    rows = Version.objects.filter(model__in=models.values(), current=True)
    return {row.model.slug: row for row in rows.select_related("model")}


def _offerings(
    versions: dict[str, Version], chips: dict[str, Chip], models: dict[str, CatalogModel]
) -> dict[tuple[str, str], Offering]:
    rows = [
        Offering(
            public_id=ids.mint("off"),
            version=versions[one.model],
            chip=chips[one.chip],
            cards=one.cards,
            sdk=one.sdk,
            settings=settings_of.checked(one.settings, one.sdk),
            evidence=Evidence.CLAIMED,
            parallel=1,
            context_tokens=models[one.model].context_tokens,
            note_ko=NOTES[one.why][0],
            note_en=NOTES[one.why][1],
        )
        for one in OFFERINGS
    ]
    Offering.objects.bulk_create(rows, ignore_conflicts=True)
    found = Offering.objects.filter(version__in=versions.values())
    return {
        (one.version.model.slug, one.chip.code): one
        for one in found.select_related("version__model", "chip").order_by("pk")
    }


def _figures(offerings: dict[tuple[str, str], Offering]) -> None:
    rows = [
        Figure(
            offering=offerings[of],
            kind=kind,
            value=Decimal(value),
            conditions_ko=korean,
            conditions_en=english,
            mark=mark,
            source_name=source,
            source_url=address,
            source_date=READ,
        )
        for of, kind, value, korean, english, mark, source, address in FIGURES
    ]
    Figure.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["offering", "kind", "conditions_en"],
        update_fields=[
            "value",
            "conditions_ko",
            "mark",
            "source_name",
            "source_url",
            "source_date",
        ],
    )
