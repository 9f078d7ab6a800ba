from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "portal.deployments"
    label = "deployments"

    def ready(self) -> None:
        from tenants import sealed

        sealed.seals("deployments.Placement", "sealed_credential")
