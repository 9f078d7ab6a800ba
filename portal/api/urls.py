"""Routes of the control API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny

from portal.api import (
    audit,
    customers,
    desk,
    incidents,
    money,
    notices,
    people,
    policies,
    registration,
    reviews,
    schema,
    serving,
    support,
    tenancy,
)
from portal.api import documentation as docs

__all__ = ["documentation", "schema", "urlpatterns"]  # schema registers itself

openapi = SpectacularJSONAPIView.as_view(permission_classes=[AllowAny])

urlpatterns = [
    path("organization", tenancy.OrganizationView.as_view(), name="api_organization"),
    path("terms", registration.TermsView.as_view(), name="api_terms"),
    path("organizations", registration.OrganizationsView.as_view(), name="api_organizations"),
    path("registration", registration.RegistrationView.as_view(), name="api_registration"),
    path(
        "registration/ask",
        registration.RegistryQuestionView.as_view(),
        name="api_registration_ask",
    ),
    path("registration/evidence", registration.EvidenceListView.as_view(), name="api_evidence"),
    path(
        "registration/evidence/<slug:public_id>/file",
        registration.EvidenceFileView.as_view(),
        name="api_evidence_file",
    ),
    path(
        "operator/verifications",
        registration.VerificationsView.as_view(),
        name="api_verifications",
    ),
    path(
        "operator/verifications/<slug:public_id>",
        registration.VerificationView.as_view(),
        name="api_verification",
    ),
    path(
        "operator/verifications/<slug:public_id>/evidence",
        registration.VerificationEvidenceView.as_view(),
        name="api_verification_evidence",
    ),
    path(
        "operator/verifications/<slug:public_id>/approve",
        registration.VerificationApprovalView.as_view(),
        name="api_verification_approve",
    ),
    path(
        "operator/verifications/<slug:public_id>/ask",
        registration.VerificationQuestionView.as_view(),
        name="api_verification_ask",
    ),
    path(
        "operator/evidence/<slug:public_id>/file",
        registration.VerificationFileView.as_view(),
        name="api_verification_file",
    ),
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
    path("support/requests", support.RequestsView.as_view(), name="api_requests"),
    path("support/requests/<slug:public_id>", support.RequestView.as_view(), name="api_request"),
    path(
        "support/requests/<slug:public_id>/messages",
        support.MessagesView.as_view(),
        name="api_request_messages",
    ),
    path(
        "support/requests/<slug:public_id>/attachments",
        support.AttachmentsView.as_view(),
        name="api_request_attachments",
    ),
    path(
        "support/requests/<slug:public_id>/moves",
        support.MovesView.as_view(),
        name="api_request_moves",
    ),
    path(
        "support/requests/<slug:public_id>/close",
        support.CloseView.as_view(),
        name="api_request_close",
    ),
    path(
        "support/requests/<slug:public_id>/consent",
        support.ConsentView.as_view(),
        name="api_request_consent",
    ),
    path(
        "support/requests/<slug:public_id>/follow",
        support.FollowView.as_view(),
        name="api_request_follow",
    ),
    path(
        "support/attachments/<slug:public_id>",
        support.AttachmentView.as_view(),
        name="api_attachment",
    ),
    path("support/incidents", support.IncidentsView.as_view(), name="api_incidents"),
    path("operator/support/requests", desk.DeskRequestsView.as_view(), name="api_desk_requests"),
    path(
        "operator/support/requests/<slug:public_id>",
        desk.DeskRequestView.as_view(),
        name="api_desk_request",
    ),
    path(
        "operator/support/requests/<slug:public_id>/messages",
        desk.DeskMessagesView.as_view(),
        name="api_desk_messages",
    ),
    path(
        "operator/support/requests/<slug:public_id>/remarks",
        desk.RemarksView.as_view(),
        name="api_desk_remarks",
    ),
    path(
        "operator/support/requests/<slug:public_id>/attachments",
        desk.DeskAttachmentsView.as_view(),
        name="api_desk_attachments",
    ),
    path(
        "operator/support/requests/<slug:public_id>/moves",
        desk.DeskMovesView.as_view(),
        name="api_desk_moves",
    ),
    path(
        "operator/support/requests/<slug:public_id>/severity",
        desk.GradeView.as_view(),
        name="api_desk_severity",
    ),
    path(
        "operator/support/requests/<slug:public_id>/assignee",
        desk.AssigneeView.as_view(),
        name="api_desk_assignee",
    ),
    path(
        "operator/support/requests/<slug:public_id>/incident",
        desk.LinkView.as_view(),
        name="api_desk_link",
    ),
    path(
        "operator/support/attachments/<slug:public_id>",
        desk.DeskAttachmentView.as_view(),
        name="api_desk_attachment",
    ),
    path("operator/incidents", incidents.IncidentsView.as_view(), name="api_desk_incidents"),
    path(
        "operator/incidents/<slug:public_id>",
        incidents.IncidentView.as_view(),
        name="api_desk_incident",
    ),
    path(
        "operator/incidents/<slug:public_id>/updates",
        incidents.IncidentUpdatesView.as_view(),
        name="api_incident_updates",
    ),
    path(
        "operator/incidents/<slug:public_id>/end",
        incidents.IncidentEndView.as_view(),
        name="api_incident_end",
    ),
    path("openapi.json", openapi, name="api_schema"),
]

documentation = [path("docs/", docs.documentation, name="api_docs")]
