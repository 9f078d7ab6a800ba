"""What customers asked for and what became of it, to be read. Credentials are not shown."""

from portal.deployments.models import (
    Drill,
    DrillMove,
    Endpoint,
    Order,
    OrderMove,
    Placement,
    PlacementMove,
    Reservation,
    ReservationMove,
    ReservationOffer,
    ReservedCard,
    Revision,
    UnchargedTime,
)
from tenants.reading_room import shows

shows(
    Endpoint,
    "public_id organization project kind name model stopped_at generation created_at created_by "
    "stopped_because funding_hold operator_hold",
    find="public_id name",
)
shows(
    Revision,
    "organization endpoint number offering replicas because created_at regions created_by",
)
shows(
    Placement,
    "public_id organization endpoint site state wanted state_since because offering cards epoch "
    "url card_refs model_digest restarts created_at accrued_until",
    find="public_id",
)
shows(PlacementMove, "organization placement from_state to_state because at")
shows(
    Order,
    "public_id organization project endpoint name state placed_at model region replicas chip "
    "cards price_version won_per_card_hour won_per_hour won_per_month committed_micro month "
    "placed_by",
    find="public_id",
)
shows(OrderMove, "organization order from_state to_state because at")
shows(
    Reservation,
    "public_id organization project name state site chip cards starts_at ends_at won_in_all "
    "won_per_card_hour price_version region wished_site taken_from accrued_until placed_at "
    "placed_by",
    find="public_id name",
)
shows(ReservationMove, "organization reservation from_state to_state because at")
shows(ReservedCard, "organization reservation site chip number starts_at ends_at")
shows(UnchargedTime, "organization reservation because cards started_at ended_at")
shows(
    ReservationOffer,
    "public_id organization reservation site chip cards offered starts_at ends_at state created_at",
    find="public_id",
)
shows(
    Drill,
    "public_id organization endpoint site state starts_at ends_at because withdrawn_at returned_at "
    "jws booked_at booked_by",
    find="public_id",
)
shows(DrillMove, "organization drill from_state to_state because at")
