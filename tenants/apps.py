from django.apps import AppConfig
from django.core import checks


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from tenants.checks import walled

        checks.register(walled, checks.Tags.database)
