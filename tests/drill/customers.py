"""Who is billed in the month-end drill, and what each of their requests looks like."""

from __future__ import annotations

from typing import Any

from portal.lib import ids
from tenants import rls
from tenants.models import Organization, Project
from tests.factories import BEGAN

ENTRY: dict[str, Any] = {
    "key": "key_x",
    "endpoint": "ep_x",
    "route": "/v1/chat/completions",
    "model_digest": "sha256:x",
    "site": "daegu-1",
    "chip": "rngd",
    "placement": "plc_x",
    "tokens_cached": 0,
    "tokens_out": 0,
    "counted": "reported",
    "outcome": "answered",
    "attempts": 1,
    "hold_micro": 1,
    "settled_micro": 1,
    "written_off_micro": 0,
    "cost_micro": 1,
    "late": False,
    "stream": True,
}


def build(count: int) -> tuple[list[Organization], list[Project]]:
    """So many customers, each with a project."""
    with rls.everyone(because="drill"):
        made = Organization.objects.bulk_create(
            Organization(
                public_id=ids.mint("org"),
                code=ids.mint_org_code(),
                name=f"회사 {number}",
                kind=("sme", "hospital", "public")[number % 3],
                created_at=BEGAN,
            )
            for number in range(count)
        )
        projects = Project.objects.bulk_create(
            Project(public_id=ids.mint("prj"), organization=one, name="프로젝트", created_at=BEGAN)
            for one in made
        )
    return made, projects
