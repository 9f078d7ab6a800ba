"""Files that people hand in."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models.organizations import Organization, TenantQuerySet
from tenants.models.people import User


class StoredFile(models.Model):
    """A checked file, kept behind the wall like every other row. ``tenants.uploads`` makes them."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="files")
    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    created_by = models.CharField(max_length=120)
    made_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", help_text="Who handed it in."
    )
    created_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="stored_file_org_id"),
        ]

    def __str__(self) -> str:
        return self.name
