"""The registry that the settings name."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from tenants.registry.contract import Business, BusinessRegistry, RegistryUnavailable
from tenants.registry.nts import TaxServiceRegistry


class NoRegistry:
    """None is set up: customers wait until the operator has read their documents."""

    def look_up(self, numbers: Sequence[str]) -> dict[str, Business]:
        raise RegistryUnavailable("DURE_REGISTRY_URL and DURE_REGISTRY_KEY are not set.")


def registry() -> BusinessRegistry:
    """A new client; it opens nothing before the first call."""
    if not settings.DURE_REGISTRY_URL or not settings.DURE_REGISTRY_KEY:
        return NoRegistry()
    return TaxServiceRegistry(settings.DURE_REGISTRY_URL, settings.DURE_REGISTRY_KEY)
