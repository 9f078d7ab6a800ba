"""When and from where people signed in. A person's own history, outside every organization."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenants.models.people import User


class SignIn(models.Model):
    """One finished sign-in. ``device`` is the hash of a cookie that names the browser."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    at = models.DateTimeField()
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    methods = models.CharField(max_length=80, blank=True)
    device = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["user", "-at"], name="sign_in_user_time")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.at}"
