"""The next step after a failure, in sentences. Codes are those of ``next_steps``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from portal.deployments.next_steps import Code

STEPS: Mapping[Code, object] = {
    "no_card": gettext_lazy(
        "No card is free at the site. It starts by itself once one is; move the endpoint to "
        "another site if you cannot wait."
    ),
    "image_not_found": gettext_lazy(
        "The site could not fetch the server's image. The operator checks the image's digest and "
        "the site's access to the registry; nothing is left to do for you."
    ),
    "access_denied": gettext_lazy(
        "The publisher did not let the site load the model: a licence has to be accepted, or the "
        "access token is missing or has expired. The operator renews it; write to support."
    ),
    "weights_not_found": gettext_lazy(
        "The model's files are not where the site looks for them. The operator checks the name, "
        "the revision or the path of the weights; write to support."
    ),
    "other_weights": gettext_lazy(
        "The site runs other weights than the ordered ones, so it gets no requests. The operator "
        "brings the ordered version there; move the endpoint to another site if you cannot wait."
    ),
    "out_of_memory": gettext_lazy(
        "The memory did not suffice. Choose a smaller model or a chip with more memory, or ask "
        "support for fewer requests at the same time."
    ),
    "wrong_sdk": gettext_lazy(
        "The model's bundle and the software of the chip do not fit together. Another site may "
        "have the right version: move the endpoint, or write to support."
    ),
    "port_in_use": gettext_lazy(
        "Another program holds the engine's port. It is started again by itself; write to support "
        "if this stays for longer than five minutes."
    ),
    "disk_full": gettext_lazy(
        "The site's disk is full. The operator makes room; move the endpoint to another site if "
        "you cannot wait."
    ),
    "unreachable": gettext_lazy(
        "The engine did not reach the place from which it loads the model. It tries again by "
        "itself; write to support if this stays for longer than ten minutes."
    ),
    "crash_loop": gettext_lazy(
        "The engine ends again and again, and does not say why. Download its log and send it to "
        "support; meanwhile move the endpoint to another site."
    ),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, for a program and for a person."""

    code: Code
    sentence: str


def steps(codes: Iterable[Code]) -> list[Step]:
    """In the reader's language."""
    return [Step(code, str(STEPS[code])) for code in codes]
