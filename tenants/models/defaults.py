"""Public ids that the database makes, for rows that libraries insert without knowing of them."""

from __future__ import annotations

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Cast, Concat, Replace, Substr


def random_id(prefix: str) -> models.Expression:
    """``prefix`` and 20 hexadecimal digits, 76 bits of them random."""
    digits = Replace(Cast(RandomUUID(), models.CharField()), models.Value("-"), models.Value(""))
    return Concat(models.Value(prefix), Substr(digits, 1, 20))
