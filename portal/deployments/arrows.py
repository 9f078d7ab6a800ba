"""States of placements and orders, and the arrows between them."""

from __future__ import annotations

from django.db import models


class EndpointKind(models.TextChoices):
    SHARED = "shared"
    DEDICATED = "dedicated"


class PlacementState(models.TextChoices):
    WANTED = "wanted"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


CHANGING = (PlacementState.WANTED, PlacementState.STARTING, PlacementState.STOPPING)

# The arrows of a placement. What is not here cannot happen.
PLACEMENT_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("wanted", "starting"),
        ("wanted", "ready"),
        ("wanted", "failed"),
        ("wanted", "stopping"),
        ("wanted", "stopped"),
        ("starting", "ready"),
        ("starting", "failed"),
        ("starting", "stopping"),
        ("ready", "starting"),
        ("ready", "failed"),
        ("ready", "stopping"),
        ("failed", "starting"),
        ("failed", "ready"),
        ("failed", "stopping"),
        ("stopping", "stopped"),
    }
)


class OrderKind(models.TextChoices):
    CREATE = "create"
    RESIZE = "resize"
    RESUME = "resume"
    MOVE = "move"
    PAUSE = "pause"
    DELETE = "delete"


FREEING = (OrderKind.PAUSE, OrderKind.DELETE)  # they only free: neither money nor signatures


class OrderState(models.TextChoices):
    AWAITING = "awaiting"  # approval; nothing is held for it
    PLACED = "placed"
    FULFILLED = "fulfilled"
    FAILED = "failed"
    CANCELLED = "cancelled"


ORDER_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("awaiting", "placed"),
        ("awaiting", "cancelled"),
        ("placed", "fulfilled"),
        ("placed", "failed"),
        ("placed", "cancelled"),
    }
)
