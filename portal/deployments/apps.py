from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "portal.deployments"
    label = "deployments"

    def ready(self) -> None:
        from tenants import sealed
        from tenants.traces import copies_a_name

        copies_a_name("deployments.Endpoint.created_by", named_by="public_id")
        copies_a_name("deployments.Revision.created_by", named_by="endpoint__public_id")
        copies_a_name("deployments.Order.placed_by", named_by="public_id")
        copies_a_name("deployments.Drill.booked_by", named_by="public_id")
        copies_a_name("deployments.Reservation.placed_by", named_by="public_id")
        copies_a_name("deployments.Rollout.started_by", named_by="public_id")
        sealed.seals("deployments.Placement", "sealed_credential")
