"""Routes of the control API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny

from portal.api import (
    audit,
    customers,
    money,
    notices,
    people,
    personal,
    policies,
    reviews,
    schema,
    serving,
    tenancy,
)
from portal.api import documentation as docs

__all__ = ["documentation", "schema", "urlpatterns"]  # schema registers itself

openapi = SpectacularJSONAPIView.as_view(permission_classes=[AllowAny])

urlpatterns = [
    path("organization", tenancy.OrganizationView.as_view(), name="api_organization"),
    path("organization/closing", personal.ClosingView.as_view(), name="api_closing"),
    path("me/exports", personal.ExportsView.as_view(), name="api_exports"),
    path("me/exports/<slug:public_id>", personal.ExportView.as_view(), name="api_export"),
    path("me/deletion", personal.DeletionView.as_view(), name="api_deletion"),
    path("projects", tenancy.ProjectsView.as_view(), name="api_projects"),
    path("projects/<slug:public_id>", tenancy.ProjectView.as_view(), name="api_project"),
    path("keys", tenancy.KeysView.as_view(), name="api_keys"),
    path("keys/<slug:public_id>", tenancy.KeyView.as_view(), name="api_key"),
    path("keys/<slug:public_id>/rotate", tenancy.KeyRotationView.as_view(), name="api_key_rotate"),
    path("keys/<slug:public_id>/test", tenancy.key_trial_view, name="api_key_test"),
    path("roles", people.RolesView.as_view(), name="api_roles"),
    path("members", people.MembersView.as_view(), name="api_members"),
    path("members/leave", people.LeaveView.as_view(), name="api_member_leave"),
    path("members/<slug:public_id>", people.MemberView.as_view(), name="api_member"),
    path(
        "members/<slug:public_id>/removal",
        people.MemberRemovalView.as_view(),
        name="api_member_removal",
    ),
    path(
        "members/<slug:public_id>/ownership",
        people.OwnershipView.as_view(),
        name="api_member_ownership",
    ),
    path("invitations", people.InvitationsView.as_view(), name="api_invitations"),
    path("invitations/<slug:public_id>", people.InvitationView.as_view(), name="api_invitation"),
    path(
        "invitations/<slug:public_id>/resend",
        people.InvitationResendView.as_view(),
        name="api_invitation_resend",
    ),
    path("deputies", reviews.DeputiesView.as_view(), name="api_deputies"),
    path("deputies/<slug:public_id>", reviews.DeputyView.as_view(), name="api_deputy"),
    path("access-reviews", reviews.ReviewsView.as_view(), name="api_reviews"),
    path("access-reviews/<slug:public_id>", reviews.ReviewView.as_view(), name="api_review"),
    path(
        "access-reviews/<slug:public_id>/lines",
        reviews.ReviewLinesView.as_view(),
        name="api_review_lines",
    ),
    path(
        "access-reviews/<slug:public_id>/sign",
        reviews.ReviewSignatureView.as_view(),
        name="api_review_sign",
    ),
    path(
        "access-reviews/lines/<slug:public_id>",
        reviews.ReviewLineView.as_view(),
        name="api_review_line",
    ),
    path("audit", audit.AuditView.as_view(), name="api_audit"),
    path("audit/export", audit.audit_export_view, name="api_audit_export"),
    path("audit/chain", audit.AuditChainView.as_view(), name="api_audit_chain"),
    path("audit/retention", audit.AuditRetentionView.as_view(), name="api_audit_retention"),
    path("audit/<slug:public_id>", audit.AuditEventView.as_view(), name="api_audit_event"),
    path("keys/<slug:public_id>/test", tenancy.KeyTrialView.as_view(), name="api_key_test"),
    path("account", policies.AccountView.as_view(), name="api_account"),
    path("account/sessions", policies.SessionsView.as_view(), name="api_account_sessions"),
    path("policies", policies.PoliciesView.as_view(), name="api_policies"),
    path("single-sign-on", policies.single_sign_on_view, name="api_single_sign_on"),
    path("domains", policies.DomainsView.as_view(), name="api_domains"),
    path("domains/<slug:public_id>", policies.DomainView.as_view(), name="api_domain"),
    path("domains/<slug:public_id>/prove", policies.domain_proof_view, name="api_domain_prove"),
    path("operator/customers", customers.CustomersView.as_view(), name="api_customers"),
    path(
        "operator/customers/<slug:public_id>",
        customers.CustomerView.as_view(),
        name="api_customer",
    ),
    path(
        "operator/customers/<slug:public_id>/suspension",
        customers.SuspensionView.as_view(),
        name="api_suspension",
    ),
    path(
        "operator/customers/<slug:public_id>/quotas",
        customers.QuotasView.as_view(),
        name="api_quotas",
    ),
    path(
        "operator/customers/<slug:public_id>/notes",
        customers.NotesView.as_view(),
        name="api_notes",
    ),
    path("operator/proposals", customers.ProposalsView.as_view(), name="api_proposals"),
    path(
        "operator/proposals/<slug:public_id>/approve",
        customers.ApprovalView.as_view(),
        name="api_approval",
    ),
    path(
        "operator/proposals/<slug:public_id>/reject",
        customers.RejectionView.as_view(),
        name="api_rejection",
    ),
    path("operator/prices/tokens", customers.TokenPricesView.as_view(), name="api_token_prices"),
    path("operator/prices/cards", customers.CardPricesView.as_view(), name="api_card_prices"),
    path("models", serving.ModelsView.as_view(), name="api_models"),
    path("models/<slug:slug>", serving.ModelView.as_view(), name="api_model"),
    path("sites", serving.SitesView.as_view(), name="api_sites"),
    path("sites/<slug:code>", serving.SiteView.as_view(), name="api_site"),
    path("endpoints", serving.endpoints_view, name="api_endpoints"),
    path("endpoints/<slug:public_id>", serving.EndpointView.as_view(), name="api_endpoint"),
    path("orders", serving.OrdersView.as_view(), name="api_orders"),
    path("usage", money.UsageView.as_view(), name="api_usage"),
    path("budgets", money.BudgetsView.as_view(), name="api_budgets"),
    path("budgets/<slug:public_id>", money.budget_view, name="api_budget"),
    path("invoices", money.InvoicesView.as_view(), name="api_invoices"),
    path("invoices/interim", money.InterimView.as_view(), name="api_invoice_interim"),
    path("invoices/<slug:public_id>", money.InvoiceView.as_view(), name="api_invoice"),
    path("invoices/<slug:public_id>/pdf", money.InvoicePdfView.as_view(), name="api_invoice_pdf"),
    path("notices", notices.NoticesView.as_view(), name="api_notices"),
    path("notices/read", notices.NoticesReadView.as_view(), name="api_notices_read"),
    path("notices/preferences", notices.PreferencesView.as_view(), name="api_notice_preferences"),
    path("notices/<slug:public_id>/read", notices.NoticeReadView.as_view(), name="api_notice_read"),
    path("openapi.json", openapi, name="api_schema"),
]

documentation = [path("docs/", docs.documentation, name="api_docs")]
