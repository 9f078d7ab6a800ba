from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from tenants.traces import copies_a_name

        copies_a_name("billing.BudgetChange.by", named_by="budget__public_id")
        copies_a_name("billing.DraftComment.by", named_by="draft__public_id")
