"""Why an own model was refused, in sentences, and what to do next: one table of codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from portal.catalog.models import OwnModel, OwnModelState

# The steps of a check, in their order.
STEPS: Mapping[str, Promise | str] = {
    "fetch": gettext_lazy("Manifest fetched"),
    "digest": gettext_lazy("Digest compared"),
    "manifest": gettext_lazy("Manifest read"),
    "config": gettext_lazy("Compared with its base"),
    "admit": pgettext_lazy("own model", "Admitted"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """``step``: where the check ended."""

    step: str
    sentence: Promise | str
    next_step: Promise | str


_TRY_AGAIN = gettext_lazy("Make it reachable, then have it checked again.")
_MEND = gettext_lazy(
    "Mend the manifest as the documentation describes it. It then has another digest: withdraw "
    "this model and register it anew."
)
REASONS: Mapping[str, Reason] = {
    "not_allowed": Reason(
        "fetch",
        gettext_lazy("The operator no longer allows models from this place."),
        gettext_lazy("Put the files at a place that is allowed, or ask the operator to allow it."),
    ),
    "unreachable": Reason(
        "fetch", gettext_lazy("The place did not answer, several times over."), _TRY_AGAIN
    ),
    "too_slow": Reason(
        "fetch", gettext_lazy("The place did not send the manifest in time."), _TRY_AGAIN
    ),
    "private_address": Reason(
        "fetch",
        gettext_lazy("The name of the place leads into a private network."),
        gettext_lazy("Ask the operator: such a place has to be allowed by its name."),
    ),
    "redirected": Reason(
        "fetch",
        gettext_lazy("The place answers with another address. Redirects are not followed."),
        gettext_lazy("Withdraw this model and register the address of the file itself."),
    ),
    "not_found": Reason(
        "fetch",
        gettext_lazy("There is no such file, or it cannot be read without signing in."),
        gettext_lazy("Look at the address; make the file readable; have it checked again."),
    ),
    "too_large": Reason(
        "fetch",
        gettext_lazy("The file is larger than a manifest may be (1 MiB)."),
        gettext_lazy("Register the address of the manifest, not of the weights."),
    ),
    "digest_differs": Reason(
        "digest",
        gettext_lazy("The file has another digest than the one that was registered."),
        gettext_lazy(
            "Put the file there that was meant and have it checked again, or register the new one."
        ),
    ),
    "bad_manifest": Reason(
        "manifest", gettext_lazy("The file is no manifest as the documentation describes."), _MEND
    ),
    "base_changed": Reason(
        "config",
        gettext_lazy("The version that it was tuned from is no longer the catalogue's."),
        gettext_lazy("Tune it from the present version, and register that."),
    ),
    "config_differs": Reason(
        "config",
        gettext_lazy("It is built in another way than its base, so nobody knows where it runs."),
        gettext_lazy("Choose the base that it was tuned from, or ask the operator to add it."),
    ),
    "context_too_short": Reason(
        "config",
        gettext_lazy("It takes fewer tokens of context than its base."),
        gettext_lazy("Ask the operator: such a model needs offerings of its own."),
    ),
    "no_chip": Reason(
        "config",
        gettext_lazy("No chip on which its base runs loads files of this form."),
        gettext_lazy("Publish it in another form, which the page names for each chip."),
    ),
}


def reason_of(one: OwnModel) -> Reason | None:
    """``None`` unless it was refused."""
    return REASONS[one.code] if one.code else None


_MOVES: Mapping[str, Promise | str] = {
    "registered": gettext_lazy("It was registered."),
    "check": gettext_lazy("A worker began to check it."),
    "admitted": gettext_lazy("It was admitted."),
    "asked_again": gettext_lazy("Another check was asked for."),
    "withdrawn": gettext_lazy("It was withdrawn."),
}
_LATER = gettext_lazy("Its place did not answer in time. It is tried again.")


def history(one: OwnModel) -> list[tuple[str, datetime]]:
    """What happened to it, the latest last."""
    found = []
    for move in one.moves.all():
        sentence = _MOVES.get(move.because)
        if sentence is None:
            later = move.to_state == OwnModelState.REGISTERED
            sentence = _LATER if later else REASONS[move.because].sentence
        found.append((str(sentence), move.at))
    return found


def sentences(one: OwnModel) -> tuple[str, str]:
    """Why it was refused, with what is special about this one, and what to do next; both empty if
    it was not."""
    reason = reason_of(one)
    if reason is None:
        return "", ""
    return " ".join([str(reason.sentence), *_special(one.details)]), str(reason.next_step)


def _special(details: Mapping[str, Any]) -> list[str]:
    if where := details.get("where"):
        return [_("Look at the field %(name)s.") % {"name": where}]
    return [
        _("%(name)s is %(own)s; the base has %(base)s.")
        % {"name": name, "own": own or "–", "base": base or "–"}
        for name, own, base in details.get("differences", ())
    ]
