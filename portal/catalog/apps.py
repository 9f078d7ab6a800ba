from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "portal.catalog"
    label = "catalog"

    def ready(self) -> None:
        from tenants.traces import copies_a_name

        copies_a_name("catalog.OwnModel.registered_by", named_by="public_id")
