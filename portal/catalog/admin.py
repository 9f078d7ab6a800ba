"""What can be run, to be read."""

from portal.catalog.models import (
    CatalogModel,
    Chip,
    Figure,
    Offering,
    OfferingMove,
    OwnModel,
    OwnModelMove,
    Region,
    Version,
)
from tenants.reading_room import shows

shows(Region, "code name_ko name_en order")
shows(Chip, "code vendor name_ko name_en memory_gib tdp_watts devices resource mark")
shows(
    CatalogModel,
    "slug kind name_ko name_en publisher licence context_tokens parameters_millions "
    "answers_korean default_max_tokens template_tokens description_ko description_en",
    find="slug",
)
shows(Version, "model label digest base_digest repository licence current created_at")
shows(
    Offering,
    "public_id version chip cards sdk bundle image artifact revision settings evidence "
    "evidence_since parallel context_tokens note_ko note_en",
    find="public_id",
)
shows(OfferingMove, "offering from_state to_state because at")
shows(Figure, "offering kind value conditions_en mark source_name source_date")
shows(
    OwnModel,
    "public_id organization name base state code location digest form weights context_tokens "
    "registered_at registered_by checked_at",
    find="public_id",
)
shows(OwnModelMove, "organization own_model from_state to_state because at")
