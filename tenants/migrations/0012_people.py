"""People: invitations, projects of members, deputies, access reviews that are kept."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, SystemFunction, TenantForeignKey, TenantTable


# Roles that a membership stands in for on a day: the role as it is now, and nothing that the
# absent person was lent.
LENT = (
    "SELECT coalesce(jsonb_agg(jsonb_build_object('role', a.role, 'absent', u.public_id, "
    "'all_projects', a.all_projects, 'projects', a.projects) ORDER BY d.id), '[]'::jsonb) "
    "FROM tenants_deputyship d JOIN tenants_membership a ON a.id = d.absent_id "
    "JOIN tenants_user u ON u.id = a.user_id "
    "WHERE d.deputy_id = member AND d.revoked_at IS NULL "
    "AND d.starts_date <= day AND day < d.ends_date"
)
# Lines of a signed review stay as they are, and get no company.
SIGNED_LINES = [
    "CREATE FUNCTION tenants_accessline_signed() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "DECLARE touched bigint; BEGIN "
    "IF TG_OP = 'DELETE' THEN touched := OLD.review_id; ELSE touched := NEW.review_id; END IF; "
    "IF EXISTS (SELECT 1 FROM tenants_accessreview r WHERE r.signed_at IS NOT NULL AND "
    "(r.id = touched OR (TG_OP <> 'INSERT' AND r.id = OLD.review_id))) THEN "
    "RAISE EXCEPTION 'the review is signed' USING ERRCODE = 'restrict_violation'; END IF; "
    "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER signed BEFORE INSERT OR UPDATE OR DELETE ON tenants_accessline "
    "FOR EACH ROW EXECUTE FUNCTION tenants_accessline_signed()",
]
NO_SIGNED_LINES = [
    "DROP TRIGGER signed ON tenants_accessline",
    "DROP FUNCTION tenants_accessline_signed()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0011_operator"),
    ]

    operations = [
        migrations.CreateModel(
            name="AccessLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=8)),
                (
                    "subject",
                    models.CharField(
                        help_text="The public id of the member or key.", max_length=24
                    ),
                ),
                ("label", models.CharField(max_length=120)),
                (
                    "rights",
                    models.JSONField(help_text="What it had: role and projects, or scopes."),
                ),
                ("last_used_at", models.DateTimeField(null=True)),
                ("decision", models.CharField(blank=True, max_length=10)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", models.CharField(blank=True, max_length=120)),
            ],
            options={
                "ordering": ["-kind", "label", "id"],
            },
        ),
        migrations.CreateModel(
            name="AccessReview",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("quarter", models.CharField(help_text="2026-Q4", max_length=7)),
                ("opened_at", models.DateTimeField()),
                ("due_date", models.DateField()),
                ("told_overdue_at", models.DateTimeField(null=True)),
                ("signed_at", models.DateTimeField(null=True)),
                ("signed_by", models.CharField(blank=True, max_length=120)),
                ("signed_ref", models.CharField(blank=True, max_length=24)),
            ],
            options={
                "ordering": ["-quarter"],
            },
        ),
        migrations.CreateModel(
            name="Deputyship",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("starts_date", models.DateField()),
                ("ends_date", models.DateField()),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=120)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-starts_date", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                (
                    "email",
                    models.EmailField(
                        help_text="In the one form of mail_addresses.", max_length=254
                    ),
                ),
                ("role", models.CharField(max_length=16)),
                ("all_projects", models.BooleanField(default=True)),
                (
                    "projects",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list
                    ),
                ),
                ("token_sha256", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField()),
                ("sends", models.PositiveSmallIntegerField(default=1)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="membership",
            name="all_projects",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="projects",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=24),
                default=list,
                help_text="Public ids; an unknown one allows nothing. Empty with all_projects.",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="membership_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("all_projects", True),
                    models.Q(("role__in", ("owner", "administrator")), _negated=True),
                    _connector="OR",
                ),
                name="membership_whole",
            ),
        ),
        migrations.AddField(
            model_name="accessline",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="accessreview",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="accessline",
            name="review",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="tenants.accessreview",
            ),
        ),
        migrations.AddField(
            model_name="deputyship",
            name="absent",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deputies",
                to="tenants.membership",
            ),
        ),
        migrations.AddField(
            model_name="deputyship",
            name="deputy",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="stands_in",
                to="tenants.membership",
            ),
        ),
        migrations.AddField(
            model_name="deputyship",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="invited_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invitations",
                to="tenants.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="accessreview",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="access_review_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="accessreview",
            constraint=models.UniqueConstraint(
                fields=("organization", "quarter"), name="access_review_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="accessline",
            constraint=models.UniqueConstraint(
                fields=("review", "kind", "subject"), name="access_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="accessline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("decision", "")),
                    models.Q(
                        ("decided_at__isnull", False), ("decision__in", ["confirmed", "removed"])
                    ),
                    _connector="OR",
                ),
                name="access_line_decision",
            ),
        ),
        migrations.AddConstraint(
            model_name="deputyship",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts_date__lt", models.F("ends_date"))),
                name="deputyship_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="deputyship",
            constraint=models.CheckConstraint(
                condition=models.Q(("absent", models.F("deputy")), _negated=True),
                name="deputyship_of_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("accepted_at", None), ("revoked_at", None)),
                fields=("organization", "email"),
                name="invitation_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "role__in",
                        ["owner", "administrator", "developer", "budget_officer", "auditor"],
                    )
                ),
                name="invitation_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("accepted_at", None), ("revoked_at", None), _connector="OR"),
                name="invitation_one_end",
            ),
        ),
        TenantTable("tenants_invitation"),
        TenantTable("tenants_deputyship"),
        TenantTable("tenants_accessreview"),
        TenantTable("tenants_accessline"),
        TenantForeignKey("tenants_deputyship", "absent_id", "tenants_membership"),
        TenantForeignKey("tenants_deputyship", "deputy_id", "tenants_membership"),
        TenantForeignKey("tenants_accessline", "review_id", "tenants_accessreview"),
        SystemFunction(
            "tenants_organization_of_invitation",
            "token_sha256 text",
            "bigint",
            "SELECT organization_id FROM tenants_invitation i WHERE i.token_sha256 = $1",
        ),
        SystemFunction("tenants_lent", "member bigint, day date", "jsonb", LENT),
        AppendOnly("tenants_accessreview", unless="OLD.signed_at IS NULL"),
        migrations.RunSQL(SIGNED_LINES, NO_SIGNED_LINES),
    ]
