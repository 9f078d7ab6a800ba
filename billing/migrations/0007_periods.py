"""Budgets of other periods than the month, thresholds of their own, raises by request."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.models.budgets
from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

MAX_BUDGET_WON = 9_000_000_000


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_journal"),
        ("tenants", "0022_organization_region"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = []
