"""What vendors' documentation names to be loaded for an announced offering. Facts as data.

No image: the vendors publish none by digest that anybody here has read, and none is made up. For
ATOM and Rebel100 a model is compiled first, so there is no published artifact to name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from portal.catalog.models import Evidence, Mark, Offering

READ = date(2026, 11, 23)
SOURCE = ("FuriosaAI developer documentation", "https://developer.furiosa.ai/")
# model on RNGD → the Hugging Face id that furiosa-llm's list of models or guide names
FURIOSA: Mapping[str, str] = {
    "llama-3-1-8b-instruct": "furiosa-ai/Llama-3.1-8B-Instruct-FP8",
    "llama-3-3-70b-instruct": "meta-llama/Llama-3.3-70B-Instruct",
    "exaone-3-5-7-8b-instruct": "furiosa-ai/EXAONE-3.5-7.8B-Instruct",
    "exaone-4-0-32b": "LGAI-EXAONE/EXAONE-4.0-32B-FP8",
    "k-exaone-236b-a23b": "LGAI-EXAONE/K-EXAONE-236B-A23B",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "qwen3-coder-30b-a3b-instruct": "furiosa-ai/Qwen3-Coder-30B-A3B-Instruct-FP8",
    "qwen3-embedding-8b": "Qwen/Qwen3-Embedding-8B",
}


def fill(offerings: Mapping[tuple[str, str], Offering]) -> None:
    """Name the artifact of announced offerings that have none. ``offerings``: by model and chip.
    What somebody has entered, or shown to run, stays."""
    empty = []
    for model, artifact in FURIOSA.items():
        one = offerings[model, "rngd"]
        if one.artifact or one.image or one.evidence != Evidence.CLAIMED:
            continue
        one.artifact, one.mark, one.source_date = artifact, Mark.VENDOR, READ
        one.source_name, one.source_url = SOURCE
        empty.append(one)
    fields = ["artifact", "mark", "source_name", "source_url", "source_date"]
    Offering.objects.bulk_update(empty, fields)
