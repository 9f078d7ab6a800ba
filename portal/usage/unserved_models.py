"""Rows of what no site took: ``unserved`` says what is told, ``unserved_intake`` keeps it."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from tenants.models import OfProject


class GatewayRun(models.Model):
    """One life of a gateway, and until when it has told what no site took."""

    run = models.CharField(max_length=32, primary_key=True)
    gateway = models.CharField(max_length=128)
    began_at = models.DateTimeField()
    told_until = models.DateTimeField()
    lost_at = models.DateTimeField(null=True, help_text="When one was last not counted.")
    over = models.BooleanField(default=False, help_text="It ended, and has told everything.")

    def __str__(self) -> str:
        return f"{self.gateway} {self.run}"


class UnservedCount(models.Model):
    """Requests of ten seconds, from one gateway, that ended with the same code."""

    organization = models.ForeignKey(
        "tenants.Organization", models.PROTECT, related_name="+", db_index=False
    )
    project = models.CharField(max_length=24)
    endpoint = models.CharField(max_length=24)
    slot_at = models.DateTimeField()
    code = models.CharField(max_length=40)
    run = models.CharField(max_length=32)
    count = models.BigIntegerField()

    objects = OfProject.as_manager()

    class Meta:
        indexes: ClassVar = [BrinIndex(fields=["slot_at"], name="unserved_slot")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "endpoint", "slot_at", "code", "project", "run"],
                name="unserved_once",
            ),
            models.CheckConstraint(condition=Q(count__gt=0), name="unserved_some"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.code} {self.count}"
