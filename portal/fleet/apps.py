from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "portal.fleet"
    label = "fleet"

    def ready(self) -> None:
        from tenants import sealed

        sealed.seals("fleet.Site", "sealed_token")
