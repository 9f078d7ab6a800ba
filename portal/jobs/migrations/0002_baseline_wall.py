"""Jobs and their files belong to one tenant each, and to one project of it."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    replaces = [("jobs", "0002_wall")]

    dependencies = [("jobs", "0001_baseline"), ("tenants", "0002_baseline_wall")]

    operations = [
        TenantTable("jobs_jobfile"),
        TenantTable("jobs_job"),
        TenantTable("jobs_jobmove"),
        TenantTable("jobs_jobline"),
        TenantForeignKey("jobs_jobfile", "project_id", "tenants_project"),
        TenantForeignKey("jobs_job", "project_id", "tenants_project"),
        TenantForeignKey("jobs_job", "key_id", "tenants_apikey"),
        TenantForeignKey("jobs_job", "input_file_id", "jobs_jobfile"),
        TenantForeignKey("jobs_job", "output_file_id", "jobs_jobfile"),
        TenantForeignKey("jobs_job", "error_file_id", "jobs_jobfile"),
        TenantForeignKey("jobs_jobmove", "job_id", "jobs_job"),
        TenantForeignKey("jobs_jobline", "job_id", "jobs_job"),
        AppendOnly("jobs_jobmove"),
    ]
