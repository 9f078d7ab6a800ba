from django.apps import AppConfig
from django.core.checks import register


class UsageConfig(AppConfig):
    name = "portal.usage"
    label = "usage"

    def ready(self) -> None:
        from portal.usage.checks import readable_keys

        register(readable_keys)
