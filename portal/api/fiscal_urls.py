"""Routes of fiscal years."""

from django.urls import path

from portal.api import fiscal, fiscal_deeds

urlpatterns = [
    path("fiscal/years", fiscal.FiscalYearsView.as_view(), name="api_fiscal_years"),
    path("fiscal/years/<int:year>", fiscal.FiscalBoardView.as_view(), name="api_fiscal_board"),
    path(
        "fiscal/years/<int:year>/decision",
        fiscal.FiscalDecisionView.as_view(),
        name="api_fiscal_decision",
    ),
    path(
        "fiscal/years/<int:year>/lines", fiscal.FiscalLinesView.as_view(), name="api_fiscal_lines"
    ),
    path(
        "fiscal/years/<int:year>/movements",
        fiscal.FiscalMovementsView.as_view(),
        name="api_fiscal_movements",
    ),
    path(
        "fiscal/years/<int:year>/commitments",
        fiscal.FiscalCommitmentsView.as_view(),
        name="api_fiscal_commitments",
    ),
    path(
        "fiscal/years/<int:year>/transfers",
        fiscal.FiscalTransfersView.as_view(),
        name="api_fiscal_transfers",
    ),
    path(
        "fiscal/years/<int:year>/close", fiscal.FiscalCloseView.as_view(), name="api_fiscal_close"
    ),
    path(
        "fiscal/years/<int:year>/books", fiscal.FiscalBooksView.as_view(), name="api_fiscal_books"
    ),
    path(
        "fiscal/lines/<slug:public_id>/appropriations",
        fiscal_deeds.appropriations_view,
        name="api_fiscal_appropriations",
    ),
    path(
        "fiscal/lines/<slug:public_id>/allotments",
        fiscal_deeds.allotments_view,
        name="api_fiscal_allotments",
    ),
    path(
        "fiscal/lines/<slug:public_id>/reallotments",
        fiscal_deeds.reallotments_view,
        name="api_fiscal_reallotments",
    ),
    path(
        "fiscal/lines/<slug:public_id>/commitments",
        fiscal_deeds.line_commitments_view,
        name="api_fiscal_line_commitments",
    ),
    path(
        "fiscal/lines/<slug:public_id>/carryovers",
        fiscal_deeds.line_carryovers_view,
        name="api_fiscal_carryovers",
    ),
    path(
        "fiscal/lines/<slug:public_id>/projects",
        fiscal_deeds.line_projects_view,
        name="api_fiscal_projects",
    ),
    path(
        "fiscal/movements/<slug:public_id>/reversal",
        fiscal_deeds.reversal_view,
        name="api_fiscal_reversal",
    ),
    path(
        "fiscal/commitments/<slug:public_id>/changes",
        fiscal_deeds.changes_view,
        name="api_fiscal_changes",
    ),
    path(
        "fiscal/commitments/<slug:public_id>/cancellation",
        fiscal_deeds.cancellation_view,
        name="api_fiscal_cancellation",
    ),
    path(
        "fiscal/commitments/<slug:public_id>/expenditures",
        fiscal_deeds.expenditures_view,
        name="api_fiscal_expenditures",
    ),
    path(
        "fiscal/commitments/<slug:public_id>/refunds",
        fiscal_deeds.refunds_view,
        name="api_fiscal_refunds",
    ),
    path(
        "fiscal/commitments/<slug:public_id>/carryover",
        fiscal_deeds.excuse_view,
        name="api_fiscal_excuse",
    ),
    path(
        "fiscal/carryovers/<slug:public_id>/withdrawal",
        fiscal_deeds.withdrawal_view,
        name="api_fiscal_withdrawal",
    ),
]
