"""Money behind the wall: policies, keys that include the organization, what never changes."""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import OURS, AppendOnly, TenantForeignKey, TenantTable, erased

# Agreements never change, except that ``ends_at`` may come earlier.
ENDS_EARLIER = (
    "to_jsonb(NEW) - 'ends_at' = to_jsonb(OLD) - 'ends_at' AND NEW.ends_at IS NOT NULL "
    "AND (OLD.ends_at IS NULL OR NEW.ends_at < OLD.ends_at)"
)

# What a document says changes only while nothing of it can be out, its number at the tax service
# once, from none. Nothing is deleted.
_FROZEN = (
    "organization_id, key, invoice_id, source, sheet, serial, code, tax, type_code, write_date, "
    "supply_won, vat_won, total_won, body"
)
_OLD = ", ".join(f"OLD.{one.strip()}" for one in _FROZEN.split(","))
_NEW = ", ".join(f"NEW.{one.strip()}" for one in _FROZEN.split(","))
FREEZE = [
    "CREATE FUNCTION billing_etaxdocument_frozen() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION 'billing_etaxdocument is frozen' "
    "USING ERRCODE = 'restrict_violation'; END $$",
    "CREATE TRIGGER frozen BEFORE UPDATE ON billing_etaxdocument FOR EACH ROW WHEN ("
    f"(OLD.state NOT IN ('blocked') AND ROW({_OLD}) IS DISTINCT FROM ROW({_NEW})) "
    "OR (OLD.approval <> '' AND OLD.approval <> NEW.approval)"
    ") EXECUTE FUNCTION billing_etaxdocument_frozen()",
    "CREATE TRIGGER kept BEFORE DELETE ON billing_etaxdocument FOR EACH ROW "
    "EXECUTE FUNCTION billing_etaxdocument_frozen()",
    "CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON billing_etaxdocument FOR EACH STATEMENT "
    "EXECUTE FUNCTION billing_etaxdocument_frozen()",
]


class Migration(migrations.Migration):
    replaces = [("billing", "0027_etax_trouble")]

    dependencies = [("billing", "0001_baseline"), ("tenants", "0002_baseline_wall")]

    operations = [
        # Budgets and invoices; prices and documents never change.
        TenantTable("billing_budget"),
        TenantTable("billing_budgetchange"),
        TenantTable("billing_commitment"),
        TenantTable("billing_invoice"),
        TenantTable("billing_invoiceline"),
        TenantTable("billing_invoicedocument"),
        TenantForeignKey("billing_budgetchange", "budget_id", "billing_budget"),
        TenantForeignKey("billing_invoiceline", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_invoicedocument", "invoice_id", "billing_invoice"),
        AppendOnly("billing_tokentariff"),
        AppendOnly("billing_cardtariff"),
        AppendOnly("billing_budgetchange", may=erased("by")),
        AppendOnly("billing_invoice"),
        AppendOnly("billing_invoiceline"),
        AppendOnly("billing_invoicedocument"),
        # That people were told how far a budget is used.
        TenantTable("billing_budgetalert"),
        TenantForeignKey("billing_budgetalert", "budget_id", "billing_budget"),
        # The journal of money.
        TenantTable("billing_posting"),
        AppendOnly("billing_posting"),
        # Accruals by day and price line.
        TenantTable("billing_accrual"),
        TenantTable("billing_unrated"),
        AppendOnly("billing_accrual"),
        AppendOnly("billing_priceline"),
        # Prices of what is stored.
        AppendOnly("billing_storagetariff"),
        # Prices by offering class, terms of the list, and agreements of organizations. An organization
        # reads what was agreed; only platform work writes it.
        TenantTable("billing_agreement", mine="false", also_readable=OURS),
        TenantTable("billing_agreedterm", mine="false", also_readable=OURS),
        TenantTable("billing_agreedtariff", mine="false", also_readable=OURS),
        TenantForeignKey("billing_agreedterm", "agreement_id", "billing_agreement"),
        TenantForeignKey("billing_agreedtariff", "term_id", "billing_agreedterm"),
        AppendOnly("billing_priceterm"),
        AppendOnly("billing_agreement", may=ENDS_EARLIER),
        AppendOnly("billing_agreedterm", may=ENDS_EARLIER),
        AppendOnly("billing_agreedtariff"),
        # Credit notes, kept copies, reminders.
        TenantTable("billing_creditnote"),
        TenantTable("billing_creditnoteline"),
        TenantTable("billing_keptdocument"),
        TenantTable("billing_reminder"),
        TenantForeignKey("billing_creditnote", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_creditnoteline", "credit_note_id", "billing_creditnote"),
        TenantForeignKey("billing_creditnoteline", "invoice_line_id", "billing_invoiceline"),
        TenantForeignKey("billing_reminder", "invoice_id", "billing_invoice"),
        AppendOnly("billing_creditnote"),
        AppendOnly("billing_creditnoteline"),
        AppendOnly("billing_keptdocument"),
        AppendOnly("billing_reminder"),
        # The end of a month: runs, drafts and what is said about them.
        TenantTable("billing_invoicedraft"),
        TenantTable("billing_invoicedraftline"),
        TenantTable("billing_draftcomment"),
        TenantForeignKey("billing_invoicedraft", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_invoicedraftline", "draft_id", "billing_invoicedraft"),
        TenantForeignKey("billing_draftcomment", "draft_id", "billing_invoicedraft"),
        TenantForeignKey("billing_draftcomment", "answers_id", "billing_draftcomment"),
        AppendOnly("billing_draftcomment", may=erased("by")),
        AppendOnly("billing_monthclosemove"),
        # Raises of budgets, by request.
        TenantTable("billing_budgetraise"),
        TenantForeignKey("billing_budgetraise", "budget_id", "billing_budget"),
        AppendOnly("billing_budgetraise", unless="OLD.decision = 'open'"),
        # Fiscal years of public institutions; journal and register never change, but for names that end.
        TenantTable("billing_fiscalyear"),
        TenantTable("billing_fiscalyearmove"),
        TenantTable("billing_budgetline"),
        TenantTable("billing_projectline"),
        TenantTable("billing_fiscalcommitment"),
        TenantTable("billing_fiscalmovement"),
        TenantTable("billing_fiscaltransfer"),
        TenantTable("billing_carryover"),
        TenantForeignKey("billing_fiscalyearmove", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_budgetline", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_budgetline", "carried_from_id", "billing_budgetline"),
        TenantForeignKey("billing_projectline", "project_id", "tenants_project"),
        TenantForeignKey("billing_projectline", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_projectline", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalcommitment", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscalcommitment", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalmovement", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscalmovement", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscalmovement", "commitment_id", "billing_fiscalcommitment"),
        TenantForeignKey("billing_fiscalmovement", "reverses_id", "billing_fiscalmovement"),
        TenantForeignKey("billing_fiscaltransfer", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_fiscaltransfer", "source_id", "billing_budgetline"),
        TenantForeignKey("billing_fiscaltransfer", "target_id", "billing_budgetline"),
        TenantForeignKey("billing_carryover", "fiscal_year_id", "billing_fiscalyear"),
        TenantForeignKey("billing_carryover", "line_id", "billing_budgetline"),
        TenantForeignKey("billing_carryover", "commitment_id", "billing_fiscalcommitment"),
        TenantForeignKey("billing_carryover", "into_id", "billing_budgetline"),
        AppendOnly("billing_fiscalyearmove", may=erased("by")),
        AppendOnly("billing_fiscalcommitment", may=erased("by")),
        AppendOnly("billing_fiscalmovement", may=erased("by", "approved_by")),
        # Approvals: what was asked and signed never changes, but for names that end.
        TenantTable("billing_approvalmatrix"),
        TenantTable("billing_approvalrequest"),
        TenantTable("billing_approvalterms"),
        TenantTable("billing_approvalstep"),
        TenantTable("billing_approvaldecision"),
        TenantTable("billing_approvalmove"),
        TenantForeignKey("billing_approvalterms", "request_id", "billing_approvalrequest"),
        TenantForeignKey("billing_approvalstep", "request_id", "billing_approvalrequest"),
        TenantForeignKey("billing_approvaldecision", "request_id", "billing_approvalrequest"),
        TenantForeignKey("billing_approvalmove", "request_id", "billing_approvalrequest"),
        TenantForeignKey("billing_approvaldecision", "step_id", "billing_approvalstep"),
        AppendOnly("billing_approvalmatrix", may=erased("by")),
        AppendOnly("billing_approvalterms"),
        AppendOnly("billing_approvalstep"),
        AppendOnly("billing_approvaldecision", may=erased("decided_label", "for_label")),
        AppendOnly("billing_approvalmove", may=erased("by")),
        # E-tax invoices; what may be out is frozen.
        *(TenantTable(f"billing_etax{one}") for one in ("document", "attempt", "move", "profile")),
        TenantForeignKey("billing_etaxdocument", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_etaxdocument", "original_id", "billing_etaxdocument"),
        TenantForeignKey("billing_etaxmove", "document_id", "billing_etaxdocument"),
        TenantForeignKey("billing_etaxattempt", "document_id", "billing_etaxdocument"),
        AppendOnly("billing_etaxmove"),
        AppendOnly("billing_etaxattempt"),
        RunSQL(FREEZE),
        # The operator's bank: statements and their lines.
        TenantTable("billing_bankstatement"),
        TenantTable("billing_bankline"),
        TenantTable("billing_bankbooking"),
        TenantTable("billing_banklinemove"),
        TenantTable("billing_virtualaccount"),
        TenantForeignKey("billing_bankline", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_bankbooking", "statement_id", "billing_bankstatement"),
        TenantForeignKey("billing_banklinemove", "line_id", "billing_bankline"),
        AppendOnly("billing_bankstatement"),
        AppendOnly("billing_bankline"),
        AppendOnly("billing_bankbooking"),
        AppendOnly("billing_banklinemove"),
        # What was paid, where it went, what went back.
        TenantTable("billing_payment"),
        TenantTable("billing_paymentallocation"),
        TenantTable("billing_paymentreversal"),
        TenantTable("billing_refund"),
        TenantTable("billing_refundmove"),
        TenantForeignKey("billing_paymentallocation", "payment_id", "billing_payment"),
        TenantForeignKey("billing_paymentallocation", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_paymentreversal", "payment_id", "billing_payment"),
        TenantForeignKey("billing_refund", "payment_id", "billing_payment"),
        TenantForeignKey("billing_refundmove", "refund_id", "billing_refund"),
        AppendOnly("billing_payment"),
        AppendOnly("billing_paymentallocation"),
        AppendOnly("billing_paymentreversal"),
        AppendOnly("billing_refundmove"),
        # Cards on file, charges, disputes, and what the processor tells.
        TenantTable("billing_cardonfile"),
        TenantTable("billing_cardcharge"),
        TenantTable("billing_cardchargemove"),
        TenantTable("billing_dispute"),
        TenantForeignKey("billing_cardcharge", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_cardcharge", "card_id", "billing_cardonfile"),
        TenantForeignKey("billing_cardchargemove", "charge_id", "billing_cardcharge"),
        TenantForeignKey("billing_dispute", "payment_id", "billing_payment"),
        AppendOnly("billing_cardchargemove"),
        AppendOnly("billing_balanceentry"),
        # Funding sources and what each paid; draws never change.
        TenantTable("billing_fundingsource"),
        TenantTable("billing_fundingdraw"),
        TenantForeignKey("billing_fundingdraw", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_fundingdraw", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_fundingdraw", "share_of_id", "billing_fundingsource"),
        AppendOnly("billing_fundingdraw"),
        # Credit that is paid for in advance, and what credit notes give back to funding sources.
        TenantTable("billing_fundingreturn"),
        TenantTable("billing_prepaidtopup"),
        TenantTable("billing_prepaidentry"),
        TenantTable("billing_prepaidreminder"),
        TenantForeignKey("billing_fundingreturn", "draw_id", "billing_fundingdraw"),
        TenantForeignKey("billing_fundingreturn", "credit_note_id", "billing_creditnote"),
        TenantForeignKey("billing_prepaidtopup", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_prepaidentry", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_prepaidentry", "payment_id", "billing_payment"),
        TenantForeignKey("billing_prepaidentry", "invoice_id", "billing_invoice"),
        TenantForeignKey("billing_prepaidreminder", "source_id", "billing_fundingsource"),
        TenantForeignKey("billing_paymentallocation", "prepaid_id", "billing_fundingsource"),
        TenantForeignKey("billing_cardcharge", "topup_id", "billing_prepaidtopup"),
        AppendOnly("billing_fundingreturn"),
        AppendOnly("billing_prepaidentry"),
        AppendOnly("billing_prepaidreminder"),
        # Invoices in the place of wrong ones.
        TenantForeignKey("billing_invoice", "renews_id", "billing_creditnote"),
        # What no e-tax document could be made of.
        TenantTable("billing_etaxtrouble"),
    ]
