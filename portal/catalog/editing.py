"""The operator's changes of an offering: what its engine is started from, and its figures.

What was shown to run was shown with the old form, so its evidence goes to *re-verify* and new
orders stop. What runs goes on as it was placed: a placement keeps its form. Figures are results
and not a part of the form: they leave the evidence alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.catalog import launch, settings_of
from portal.catalog.models import PROVEN, Evidence, Figure, FigureKind, Mark, Offering, Version
from portal.catalog.models import OfferingMove as Move
from tenants import audit, reasons
from tenants.actors import Actor

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MOST_PARALLEL = 1024
MOST_CONTEXT = 10_000_000
MOST_VALUE = Decimal(10**9)


class BadForm(ValueError):
    """``field``: which part; the sentence says what is possible."""

    def __init__(self, part: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = part


@dataclass(frozen=True, slots=True)
class Form:
    """What may be changed of an offering. ``digest``: of its weights, where nobody knew them."""

    image: str
    artifact: str
    revision: str
    parallel: int
    context_tokens: int
    settings: Mapping[str, object] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure as it is entered. ``value`` ``None``: take it away."""

    kind: str
    value: Decimal | None
    conditions_ko: str
    conditions_en: str
    mark: str = Mark.MEASURED
    source_name: str = ""
    source_url: str = ""
    source_date: date | None = None


def form_of(offering: Offering) -> Form:
    """As it stands, to be changed with ``dataclasses.replace``."""
    return Form(
        image=offering.image,
        artifact=offering.artifact,
        revision=offering.revision,
        settings=offering.settings,
        parallel=offering.parallel,
        context_tokens=offering.context_tokens,
        digest=offering.version.digest,
    )


@transaction.atomic
def edit(*, offering: Offering, form: Form, because: str, by: Actor, now: datetime) -> Offering:
    """``BadForm``, ``reasons.BadReason``. The same form again changes nothing."""
    reason = reasons.normalized(because)
    rows = Offering.objects.select_for_update(of=["self"]).select_related("version", "chip")
    offering = rows.get(pk=offering.pk)
    before, form = form_of(offering), _checked(form, offering)
    changed = _differences(before, form)
    if not changed:
        return offering
    if replace(form, digest=before.digest) != before:
        _write(offering, form)
    if form.digest != before.digest:
        _name_weights(offering, form.digest)
    if offering.evidence in PROVEN:
        _lapse(offering, reason, now)
    audit.record(
        "operator.offering",
        by=by,
        now=now,
        subject=offering.public_id,
        changes=changed,
        because=reason,
    )
    return offering


def _differences(before: Form, after: Form) -> dict[str, Any]:
    parts = ("image", "artifact", "revision", "settings", "parallel", "context_tokens", "digest")
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in parts}
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}


def _write(offering: Offering, form: Form) -> None:
    """The source was that of what stood there; now it is in the audit log."""
    offering.image, offering.artifact, offering.revision = form.image, form.artifact, form.revision
    offering.settings = dict(form.settings)
    offering.parallel, offering.context_tokens = form.parallel, form.context_tokens
    offering.mark = offering.source_name = offering.source_url = ""
    offering.source_date = None
    offering.save()


def _name_weights(offering: Offering, digest: str) -> None:
    others = Version.objects.filter(model=offering.version.model_id, digest=digest)
    if offering.version.digest or others.exists():
        raise BadForm("digest", _("The weights are known already: another set is another version."))
    offering.version.digest = digest
    offering.version.save(update_fields=["digest"])


def _lapse(offering: Offering, reason: str, now: datetime) -> None:
    Move.objects.create(
        offering=offering,
        from_state=offering.evidence,
        to_state=Evidence.REVERIFY,
        because=reason,
        at=now,
    )
    offering.evidence, offering.evidence_since = Evidence.REVERIFY, now
    offering.save(update_fields=["evidence", "evidence_since"])


def _checked(form: Form, offering: Offering) -> Form:
    if form.image and not launch.is_image(form.image):
        raise BadForm("image", _("Name the image with its digest: registry/name@sha256:…"))
    if form.artifact and not launch.is_artifact(form.artifact):
        raise BadForm("artifact", _("Give a Hugging Face id (owner/name) or an absolute path."))
    if form.revision and not launch.is_revision(form.revision):
        raise BadForm("revision", _("Give a branch, a tag or a commit."))
    if not 1 <= form.parallel <= MOST_PARALLEL:
        raise BadForm("parallel", _("Give 1 to %(most)d requests.") % {"most": MOST_PARALLEL})
    if not 1 <= form.context_tokens <= MOST_CONTEXT:
        raise BadForm("context_tokens", _("Give 1 to %(most)d tokens.") % {"most": MOST_CONTEXT})
    if form.digest and not _DIGEST.fullmatch(form.digest):
        raise BadForm(
            "digest", _("Give the SHA-256 of the weights: sha256: and 64 hexadecimal digits.")
        )
    try:
        settings = settings_of.checked(form.settings, offering.sdk)
    except settings_of.BadSetting as error:
        raise BadForm("settings", str(error)) from error
    return replace(form, settings=settings, digest=form.digest or offering.version.digest)


@transaction.atomic
def enter_figure(
    *, offering: Offering, result: Result, because: str, by: Actor, now: datetime
) -> None:
    """Add a figure, put another in the place of the one with the same kind and conditions, or take
    it away. ``BadForm``, ``reasons.BadReason``."""
    reason = reasons.normalized(because)
    _check_result(result)
    rows = Figure.objects.select_for_update().filter(
        offering=offering, kind=result.kind, conditions_en=result.conditions_en
    )
    before = rows.first()
    if result.value is None:
        rows.delete()
    else:
        _put(offering, before, result)
    audit.record(
        "operator.figure",
        by=by,
        now=now,
        subject=offering.public_id,
        changes={
            "kind": result.kind,
            "conditions": result.conditions_en,
            "value": {
                "from": str(before.value) if before else "",
                "to": "" if result.value is None else str(result.value),
            },
        },
        because=reason,
    )


def _put(offering: Offering, before: Figure | None, result: Result) -> None:
    assert result.value is not None
    row = before or Figure(offering=offering, kind=result.kind, conditions_en=result.conditions_en)
    row.value, row.conditions_ko, row.mark = result.value, result.conditions_ko, result.mark
    row.source_name, row.source_url = result.source_name, result.source_url
    row.source_date = result.source_date
    row.save()


def _check_result(result: Result) -> None:
    if result.kind not in FigureKind.values:
        raise BadForm("kind", _("Choose what was measured."))
    if result.mark not in Mark.values:
        raise BadForm("mark", _("Choose how far the figure can be trusted."))
    for name in ("conditions_ko", "conditions_en"):
        text = getattr(result, name)
        if not 3 <= len(text.strip()) <= 200 or not text.isprintable():
            raise BadForm(name, _("A figure without its conditions means nothing: name them."))
    if result.value is not None and not 0 < result.value < MOST_VALUE:
        raise BadForm("value", _("Give a positive number."))
    if not result.source_name.strip() or len(result.source_name) > 120:
        raise BadForm("source_name", _("Name the source of the figure."))
    web = result.source_url.startswith(("https://", "http://"))
    if result.source_url and (not web or len(result.source_url) > 300):
        raise BadForm("source_url", _("Give the address of the source, or none."))
