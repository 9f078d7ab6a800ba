from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from tenants.traces import copies_a_name

        copies_a_name("billing.ApprovalDecision.decided_label", named_by="request__public_id")
        copies_a_name("billing.ApprovalDecision.for_label", named_by="request__public_id")
        copies_a_name("billing.ApprovalMatrix.by", named_by="version")
        copies_a_name("billing.ApprovalMove.by", named_by="request__public_id")
        copies_a_name("billing.ApprovalRequest.requested_label", named_by="public_id")
        copies_a_name("billing.BudgetChange.by", named_by="budget__public_id")
        for column in ("FiscalYearMove.by", "FiscalCommitment.by"):
            copies_a_name(f"billing.{column}", named_by="fiscal_year__public_id")
        for name in ("by", "approved_by"):
            copies_a_name(f"billing.FiscalMovement.{name}", named_by="public_id")
        for name in ("asked_by", "decided_by"):
            copies_a_name(f"billing.FiscalTransfer.{name}", named_by="public_id")
        copies_a_name("billing.Carryover.named_by", named_by="public_id")
        copies_a_name("billing.DraftComment.by", named_by="draft__public_id")
