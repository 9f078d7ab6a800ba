"""Tenants' budgets and invoices behind the wall; prices and documents that never change."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("tenants", "0002_wall")]

    operations = [
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
        AppendOnly("billing_budgetchange"),
        AppendOnly("billing_invoice"),
        AppendOnly("billing_invoiceline"),
        AppendOnly("billing_invoicedocument"),
    ]
