"""What was consumed, to be read. The ledger itself has a primary key of two columns, which
Django's admin cannot show: it has its pages (usage, invoices)."""

from portal.usage.models import (
    CardTime,
    GatewayRun,
    OrphanedEvent,
    PoisonRecord,
    StoredVolume,
    UnservedCount,
    Watermark,
)
from tenants.reading_room import shows

shows(
    CardTime,
    "organization endpoint_name site chip cards started_at ended_at project endpoint placement "
    "price_version recorded_at",
    find="endpoint placement",
)
shows(
    StoredVolume,
    "organization volume storage bytes started_at ended_at project price_version recorded_at",
    find="volume",
)
shows(OrphanedEvent, "organization request_id cell hold_micro seen_at resolved_at")
shows(PoisonRecord, "cell stream_id reason seen_at replayed_at")
shows(
    Watermark,
    "cell stream_id lease_owner lease_until read booked put_aside appended waiting measured_at",
)
shows(UnservedCount, "organization endpoint code slot_at count project run", find="endpoint")
shows(GatewayRun, "gateway run began_at told_until lost_at over", find="gateway")
