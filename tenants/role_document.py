"""``docs/roles.md``: the table of roles as a document, made from ``tenants.roles``."""

from __future__ import annotations

from django.utils import translation

from tenants import roles

HEAD = (
    "# Roles\n"
    "Made by `manage.py write_roles` from `tenants/roles.py`; a test compares them. The same table "
    "is the page `/roles/` and the operation `GET /api/v1/roles`.\n\n"
    "Nobody gives a role that can do more than their own, and only owners make owners. Owners and "
    "administrators see all projects; the others may be limited to some. In the operator's "
    "organization, owners and administrators also run the sites, and everybody there sees them.\n"
)


def text() -> str:
    """The whole document, in English."""
    with translation.override("en"):
        rows = roles.table()
        names = [str(role.label) for role in roles.Role]
        lines = [
            f"| verb | may | {' | '.join(names)} |",
            f"|---|---|{'---|' * len(names)}",
            *(
                f"| `{verb}` | {label} | {' | '.join('yes' if one else '–' for one in has)} |"
                for verb, label, has in rows
            ),
        ]
    return HEAD + "\n" + "\n".join(lines) + "\n"
