"""What an order asks for and how far it is, in one sentence."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.deployments.models import Order, OrderKind, OrderState

FREEING_WORDS = {
    (OrderKind.PAUSE, OrderState.PLACED): gettext_lazy("A pause: its replicas are being stopped."),
    (OrderKind.PAUSE, OrderState.FULFILLED): gettext_lazy(
        "A pause: all replicas have stopped, and their time is counted."
    ),
    (OrderKind.PAUSE, OrderState.CANCELLED): gettext_lazy(
        "A pause that was overtaken: it was resumed before all replicas had stopped."
    ),
    (OrderKind.DELETE, OrderState.PLACED): gettext_lazy("Its end: its replicas are being stopped."),
    (OrderKind.DELETE, OrderState.FULFILLED): gettext_lazy(
        "Its end: all replicas have stopped, and their time is counted."
    ),
}
STATES = {
    OrderState.AWAITING: gettext_lazy("It waits to be signed."),
    OrderState.PLACED: gettext_lazy("It is under way."),
    OrderState.FULFILLED: gettext_lazy("It was carried out."),
    OrderState.FAILED: gettext_lazy("It has failed, and the old form runs."),
    OrderState.CANCELLED: gettext_lazy("It was not approved."),
}


def sentence(order: Order, chip: str = "") -> str:
    """In the reader's language. ``chip``: the name of its chip, else its code is said."""
    state = OrderState(order.state)
    found = FREEING_WORDS.get((OrderKind(order.kind), state))
    return str(found) if found is not None else f"{_asked(order, chip)} {STATES[state]}"


def _asked(order: Order, chip: str) -> str:
    wished = {"replicas": order.replicas, "chip": chip or order.chip}
    if order.kind == OrderKind.CREATE:
        return (
            ngettext(
                "A new endpoint with %(replicas)d replica on %(chip)s.",
                "A new endpoint with %(replicas)d replicas on %(chip)s.",
                order.replicas,
            )
            % wished
        )
    if order.kind == OrderKind.RESIZE:
        return _("Another number of replicas: %(replicas)d.") % wished
    if order.kind == OrderKind.RESUME:
        return (
            ngettext(
                "To run again with %(replicas)d replica.",
                "To run again with %(replicas)d replicas.",
                order.replicas,
            )
            % wished
        )
    return (
        ngettext(
            "Another form: %(replicas)d replica on %(chip)s.",
            "Another form: %(replicas)d replicas on %(chip)s.",
            order.replicas,
        )
        % wished
    )
