"""The log names people by opaque ids; seals, prunings, names and retention get tables.

Old columns with names stay for one release, empty by default, so that programs of before go on.
"""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable


def organization(kind: type = models.ForeignKey) -> models.ForeignKey:
    return kind(
        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.organization"
    )


def number() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


PUBLIC_ID = django.db.models.functions.text.Concat(
    models.Value("aud_"),
    django.db.models.functions.text.Substr(
        django.db.models.functions.text.Replace(
            django.db.models.functions.comparison.Cast(
                django.contrib.postgres.functions.RandomUUID(), models.CharField()
            ),
            models.Value("-"),
            models.Value(""),
        ),
        1,
        20,
    ),
)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_key_use")]

    operations = [
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                ("id", number()),
                ("number", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(default=0, help_text="Events sealed so far.")),
                ("last_transaction", models.BigIntegerField(default=0)),
                ("last_event", models.BigIntegerField(default=0)),
                ("hash", models.CharField(blank=True, max_length=64)),
                ("sealed_at", models.DateTimeField(null=True)),
                ("prunings", models.BigIntegerField(default=0)),
                ("seals_outside", models.BigIntegerField(default=0)),
                ("prunings_outside", models.BigIntegerField(default=0)),
                ("verified_at", models.DateTimeField(null=True)),
                ("verified_number", models.BigIntegerField(default=0)),
                ("faults", models.IntegerField(default=0)),
                ("organization", organization(models.OneToOneField)),
            ],
        ),
        migrations.CreateModel(
            name="AuditPerson",
            fields=[
                ("id", number()),
                ("ref", models.CharField(max_length=24)),
                ("label", models.CharField(blank=True, max_length=120)),
                ("email", models.CharField(blank=True, max_length=254)),
                ("erased_at", models.DateTimeField(null=True)),
                ("organization", organization()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "ref"), name="audit_person_once"
                    )
                ],
                "indexes": [models.Index(fields=["ref"], name="audit_person_ref")],
            },
        ),
        migrations.CreateModel(
            name="AuditPruning",
            fields=[
                ("id", number()),
                ("number", models.BigIntegerField(help_text="1, 2, 3 … without a gap.")),
                ("group", models.CharField(max_length=8)),
                ("before", models.DateTimeField()),
                (
                    "through",
                    models.BigIntegerField(
                        help_text="Number of the last seal that it reached into."
                    ),
                ),
                ("through_hash", models.CharField(max_length=64)),
                ("count", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("signed_by", models.CharField(max_length=16)),
                ("signature", models.CharField(max_length=128)),
                ("organization", organization()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "number"), name="audit_pruning_number"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="AuditRetention",
            fields=[
                ("id", number()),
                ("access_months", models.PositiveSmallIntegerField(default=24)),
                ("rights_months", models.PositiveSmallIntegerField(default=36)),
                ("other_months", models.PositiveSmallIntegerField(default=36)),
                ("organization", organization(models.OneToOneField)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("access_months__range", (24, 120)),
                            ("other_months__range", (12, 120)),
                            ("rights_months__range", (36, 120)),
                        ),
                        name="audit_retention_lawful",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", number()),
                ("number", models.BigIntegerField(help_text="1, 2, 3 … without a gap.")),
                (
                    "first",
                    models.BigIntegerField(
                        help_text="Place of the first event: 1, 2, 3 … without a gap."
                    ),
                ),
                ("count", models.IntegerField()),
                ("last_transaction", models.BigIntegerField()),
                ("last_event", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("leaves", models.BinaryField()),
                ("previous", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("signed_by", models.CharField(max_length=16)),
                ("signature", models.CharField(max_length=128)),
                ("organization", organization()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "number"), name="audit_seal_number"
                    )
                ]
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    [
                        "ALTER TABLE tenants_auditevent ALTER actor_label SET DEFAULT '',"
                        " ALTER actor_ref SET DEFAULT ''",
                    ],
                    migrations.RunSQL.noop,
                )
            ],
            state_operations=[
                migrations.RemoveField("auditevent", "actor_label"),
                migrations.RemoveField("auditevent", "actor_ref"),
            ],
        ),
        migrations.AddField(
            "auditevent",
            "actor",
            models.CharField(db_default="", help_text="usr_…, key_…, system:…", max_length=60),
        ),
        migrations.AddField(
            "auditevent", "address", models.CharField(blank=True, db_default="", max_length=45)
        ),
        migrations.AddField(
            "auditevent", "group", models.CharField(db_default="other", max_length=8)
        ),
        migrations.AddField(
            "auditevent",
            "on_behalf",
            models.CharField(
                blank=True,
                db_default="",
                help_text="usr_… of a key's maker, or org_…",
                max_length=24,
            ),
        ),
        migrations.AddField(
            "auditevent",
            "public_id",
            models.CharField(db_default=PUBLIC_ID, max_length=24, unique=True),
        ),
        migrations.AddField(
            "auditevent", "request_id", models.CharField(blank=True, db_default="", max_length=40)
        ),
        migrations.AddField("auditevent", "transaction", models.BigIntegerField(db_default=0)),
        TenantTable("tenants_auditchain"),
        TenantTable("tenants_auditperson"),
        TenantTable("tenants_auditpruning"),
        TenantTable("tenants_auditretention"),
        TenantTable("tenants_auditseal"),
        AppendOnly("tenants_auditseal"),
        AppendOnly("tenants_auditpruning"),
        # The order of sealing is the order of transactions; nobody may choose a row's place in it.
        migrations.RunSQL(
            [
                "CREATE FUNCTION tenants_auditevent_stamp() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.transaction := pg_current_xact_id()::text::bigint; RETURN NEW; END $$",
                "CREATE TRIGGER stamp BEFORE INSERT ON tenants_auditevent "
                "FOR EACH ROW EXECUTE FUNCTION tenants_auditevent_stamp()",
            ],
            [
                "DROP TRIGGER stamp ON tenants_auditevent",
                "DROP FUNCTION tenants_auditevent_stamp()",
            ],
        ),
    ]
