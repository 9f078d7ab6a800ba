"""Approvals behind the wall; what was asked and signed never changes, but for names that end."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, ErasableName, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0015_approvals"), ("tenants", "0003_system_role")]

    operations = [
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
        AppendOnly("billing_approvalmatrix"),
        AppendOnly("billing_approvalterms"),
        AppendOnly("billing_approvalstep"),
        AppendOnly("billing_approvaldecision"),
        AppendOnly("billing_approvalmove"),
        ErasableName("billing_approvalmatrix", "by"),
        ErasableName("billing_approvaldecision", "decided_label", "for_label"),
        ErasableName("billing_approvalmove", "by"),
    ]
