"""What a placed order becomes: an endpoint, its replicas at the chosen sites, a commitment.

Runs inside the transaction that placed the order, with the sites locked.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_noop

from billing import budgets
from billing.fiscal import orders as fiscal
from billing.models import Commitment
from portal.catalog.models import Offering
from portal.deployments.actions import placements
from portal.deployments.models import Endpoint, EndpointKind, Order, OrderState, Revision
from portal.deployments.states import move_order
from portal.fleet.models import Site
from portal.lib import ids
from tenants import audit
from tenants.actors import Actor

if TYPE_CHECKING:
    from portal.deployments.quoting import Quote

ORDERED = gettext_noop("Ordered.")  # kept in the row: whoever reads it has it in their language


def fulfil(order: Order, priced: Quote, sites: list[Site], by: Actor, now: datetime) -> Commitment:
    """Write all of it, and move the order. ``sites`` are locked by the caller."""
    endpoint = Endpoint.objects.create(
        public_id=ids.mint("ep"),
        organization=by.organization,
        project=order.project,
        kind=EndpointKind.DEDICATED,
        name=order.name,
        model=order.model,
        own_model=order.own_model,
        created_at=now,
        created_by=order.placed_by,
    )
    order.endpoint = endpoint
    order.save(update_fields=["endpoint"])
    _place_replicas(order, endpoint, priced, sites, now)
    commitment = budgets.record_commitment(
        organization=by.organization,
        project=order.project,
        reference=order.public_id,
        endpoint=endpoint.public_id,
        month=priced.month,
        amount_micro=priced.rest_of_month_micro,
    )
    fiscal.commit(  # of a public institution: its budget line commits the order, or refuses it
        commitment,
        project=order.project,
        subject=order.name,
        seller=settings.DURE_SELLER_NAME,
        by=by,
        now=now,
    )
    move_order(order, OrderState.FULFILLED, because="Replicas are asked for.", now=now)
    audit.record(
        "order.place",
        by=by,
        now=now,
        subject=order.public_id,
        changes={"endpoint": endpoint.public_id, "name": order.name, "cards": priced.cards},
    )
    return commitment


def _place_replicas(
    order: Order, endpoint: Endpoint, priced: Quote, sites: list[Site], now: datetime
) -> None:
    offering = Offering.objects.get(pk=priced.offering)
    Revision.objects.create(
        organization=endpoint.organization,
        endpoint=endpoint,
        number=1,
        offering=offering,
        replicas=order.replicas,
        regions=[order.region] if order.region else [],
        apart=order.apart,
        because=ORDERED,
        created_at=now,
        created_by=order.placed_by,
    )
    by_code = {site.code: site for site in sites}
    for code in priced.choice.sites:
        placements.want(endpoint=endpoint, site=by_code[code], offering=offering, now=now)
