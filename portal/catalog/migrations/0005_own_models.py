"""Models that customers bring: private to one organization, moved along arrows only."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

_TABLE = "catalog_ownmodel"
_ARROWS = (
    "('registered', 'checking'), ('checking', 'registered'), ('checking', 'admitted'), "
    "('checking', 'refused'), ('refused', 'registered'), ('registered', 'withdrawn'), "
    "('refused', 'withdrawn'), ('admitted', 'withdrawn')"
)
# What was registered never changes, and what was found of it not after it was admitted.
_FIXED = "organization_id, public_id, name, base_id, location, digest, registered_at"
_FOUND = "form, weights, artifact, bytes, context_tokens"


def _row(columns: str, of: str) -> str:
    return "(" + ", ".join(f"{of}.{one.strip()}" for one in columns.split(",")) + ")"


_GUARD = (
    f"CREATE FUNCTION {_TABLE}_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({_ARROWS}) THEN "
    f"RAISE EXCEPTION '{_TABLE}: % does not lead to %', OLD.state, NEW.state "
    "USING ERRCODE = 'check_violation'; END IF; "
    f"IF {_row(_FIXED, 'NEW')} IS DISTINCT FROM {_row(_FIXED, 'OLD')} "
    "OR (OLD.state IN ('admitted', 'withdrawn') "
    f"AND {_row(_FOUND, 'NEW')} IS DISTINCT FROM {_row(_FOUND, 'OLD')}) THEN "
    f"RAISE EXCEPTION '{_TABLE}: what was registered or admitted does not change' "
    "USING ERRCODE = 'restrict_violation'; END IF; "
    "RETURN NEW; END $$"
)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_engines"),
        ("tenants", "0024_quota_raises"),
    ]

    operations = [
        migrations.AddField(
            model_name="version",
            name="config",
            field=models.JSONField(
                default=dict,
                help_text="What decides how it is compiled: catalog.manifest. Empty: nobody wrote it down.",
            ),
        ),
        migrations.CreateModel(
            name="OwnModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(max_length=60)),
                (
                    "location",
                    models.CharField(help_text="Address of its manifest.", max_length=300),
                ),
                (
                    "digest",
                    models.CharField(
                        help_text="Of the manifest: sha256: and 64 digits.", max_length=71
                    ),
                ),
                ("state", models.CharField(default="registered", max_length=16)),
                (
                    "code",
                    models.CharField(blank=True, help_text="Why it was refused.", max_length=32),
                ),
                (
                    "details",
                    models.JSONField(
                        default=dict, help_text="What the sentence of the code names."
                    ),
                ),
                ("form", models.CharField(blank=True, help_text="Of its files.", max_length=16)),
                (
                    "weights",
                    models.CharField(
                        blank=True, help_text="Digest that sites compare.", max_length=71
                    ),
                ),
                (
                    "artifact",
                    models.CharField(
                        blank=True, help_text="What is loaded: a path.", max_length=300
                    ),
                ),
                ("bytes", models.BigIntegerField(null=True)),
                ("context_tokens", models.PositiveIntegerField(null=True)),
                ("languages", models.JSONField(default=list)),
                ("registered_at", models.DateTimeField()),
                ("registered_by", models.CharField(max_length=120)),
                ("check_at", models.DateTimeField(help_text="Not checked before.")),
                (
                    "checked_at",
                    models.DateTimeField(help_text="When the last check ended.", null=True),
                ),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="Of the check that goes on."
                    ),
                ),
                ("lease_token", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "base",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.version",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-registered_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="OwnModelMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=32)),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "own_model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="catalog.ownmodel",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.AddIndex(
            model_name="ownmodel",
            index=models.Index(
                condition=models.Q(("state__in", ["registered", "checking"])),
                fields=["check_at"],
                name="own_model_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="own_model_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "withdrawn"), _negated=True),
                fields=("organization", "name"),
                name="own_model_name_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "withdrawn"), _negated=True),
                fields=("organization", "digest"),
                name="own_model_digest_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["registered", "checking", "admitted", "refused", "withdrawn"])
                ),
                name="own_model_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "admitted"), _negated=True),
                    models.Q(
                        models.Q(("weights", ""), _negated=True),
                        models.Q(("artifact", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="own_model_admitted_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownmodel",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "refused"), ("code", ""), _connector="XOR"),
                name="own_model_code_of_refused",
            ),
        ),
        TenantTable("catalog_ownmodel"),
        TenantTable("catalog_ownmodelmove"),
        TenantForeignKey("catalog_ownmodelmove", "own_model_id", "catalog_ownmodel"),
        AppendOnly("catalog_ownmodelmove"),
        migrations.RunSQL(
            [
                _GUARD,
                f"CREATE TRIGGER moved BEFORE UPDATE ON {_TABLE} FOR EACH ROW "
                f"EXECUTE FUNCTION {_TABLE}_moved()",
            ],
            [f"DROP TRIGGER moved ON {_TABLE}", f"DROP FUNCTION {_TABLE}_moved()"],
        ),
    ]
