"""Routes of the control API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny

from portal.api import documentation as docs
from portal.api import money, personal, schema, serving, tenancy

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
    path("keys/<slug:public_id>/test", tenancy.KeyTrialView.as_view(), name="api_key_test"),
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
    path("openapi.json", openapi, name="api_schema"),
]

documentation = [path("docs/", docs.documentation, name="api_docs")]
