"""Rows of kept logs; of the application's other models they know only the names."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class KeptLog(models.Model):
    """The last lines of a replica, copied when it failed or ended: a site may forget them, or be
    lost itself. ``lines``: pairs of Unix milliseconds and text, cleaned by ``log_lines``."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    placement = models.OneToOneField(
        "deployments.Placement", models.PROTECT, related_name="kept_log"
    )
    lines = models.JSONField(default=list)
    kept_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="kept_log_org_id"),
        ]

    def __str__(self) -> str:
        return str(self.placement_id)
