"""Tables of who there is: people, organizations, projects, keys, the audit log, support."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models
from django.db.models.functions import Cast, Concat, Lower, Now, Replace, Substr

from tenants.migration_ops import Tables


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    initial = True

    # A database of before: see docs/adr/0018.
    replaces = [
        ("tenants", name)
        for name in (
            "0001_initial",
            "0002_wall",
            "0003_system_role",
            "0004_keys",
            "0005_foundations",
            "0006_key_use",
            "0007_audit",
            "0008_audit_names",
            "0009_signin",
            "0010_notices",
            "0011_operator",
            "0012_people",
            "0013_personal",
            "0014_customer",
            "0015_terms",
            "0016_support",
            "0017_settings_once",
            "0018_operators_deeds",
            "0019_key_tokens",
            "0020_model_aliases",
            "0021_replay",
        )
    ]

    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="User",
                fields=[
                    ("id", _id()),
                    ("password", models.CharField(max_length=128, verbose_name="password")),
                    (
                        "last_login",
                        models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                    ),
                    (
                        "is_superuser",
                        models.BooleanField(
                            default=False,
                            help_text="Designates that this user has all permissions without explicitly assigning them.",
                            verbose_name="superuser status",
                        ),
                    ),
                    (
                        "public_id",
                        models.CharField(
                            db_default=Concat(
                                models.Value("usr_"),
                                Substr(
                                    Replace(
                                        Cast(RandomUUID(), models.CharField()),
                                        models.Value("-"),
                                        models.Value(""),
                                    ),
                                    1,
                                    20,
                                ),
                            ),
                            max_length=24,
                            unique=True,
                        ),
                    ),
                    (
                        "email",
                        models.EmailField(
                            max_length=254, unique=True, verbose_name="E-mail address"
                        ),
                    ),
                    ("name", models.CharField(blank=True, max_length=60, verbose_name="Name")),
                    ("is_active", models.BooleanField(default=True)),
                    ("is_staff", models.BooleanField(default=False)),
                    ("date_joined", models.DateTimeField(db_default=Now())),
                    (
                        "groups",
                        models.ManyToManyField(
                            blank=True,
                            help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                            related_name="user_set",
                            related_query_name="user",
                            to="auth.group",
                            verbose_name="groups",
                        ),
                    ),
                    (
                        "user_permissions",
                        models.ManyToManyField(
                            blank=True,
                            help_text="Specific permissions for this user.",
                            related_name="user_set",
                            related_query_name="user",
                            to="auth.permission",
                            verbose_name="user permissions",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(Lower("email"), name="user_email_any_case")
                    ]
                },
            ),
            migrations.CreateModel(
                name="Organization",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "code",
                        models.CharField(
                            help_text="Names it inside its API keys.", max_length=8, unique=True
                        ),
                    ),
                    ("name", models.CharField(max_length=80)),
                    ("kind", models.CharField(max_length=16)),
                    ("business_number", models.CharField(max_length=10, null=True, unique=True)),
                    ("address", models.CharField(blank=True, max_length=200)),
                    ("created_at", models.DateTimeField()),
                    (
                        "medical_number",
                        models.CharField(
                            blank=True, default="", help_text="요양기관기호.", max_length=8
                        ),
                    ),
                    (
                        "corporate_number",
                        models.CharField(
                            blank=True, default="", help_text="법인등록번호.", max_length=13
                        ),
                    ),
                    ("registration", models.CharField(default="active", max_length=20)),
                    ("registration_since", models.DateTimeField(null=True)),
                    (
                        "registry_seen_at",
                        models.DateTimeField(
                            help_text="When the registry last answered.", null=True
                        ),
                    ),
                    (
                        "registry_tax_type",
                        models.CharField(
                            blank=True,
                            default="",
                            help_text="In the registry's own words.",
                            max_length=80,
                        ),
                    ),
                    (
                        "registry_due_at",
                        models.DateTimeField(
                            help_text="When to ask again; a sweep that asks puts it off as its lease.",
                            null=True,
                        ),
                    ),
                    ("registry_failures", models.PositiveSmallIntegerField(default=0)),
                    (
                        "vouched_at",
                        models.DateTimeField(
                            help_text="When the operator has read the evidence and believed it.",
                            null=True,
                        ),
                    ),
                    (
                        "region",
                        models.CharField(
                            blank=True,
                            default="",
                            help_text="Where it is; sites there come first.",
                            max_length=24,
                        ),
                    ),
                    (
                        "closes_at",
                        models.DateTimeField(
                            help_text="The owner wants it closed then.", null=True
                        ),
                    ),
                    (
                        "closed_at",
                        models.DateTimeField(
                            help_text="Nothing runs any more; members read.", null=True
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=models.Q(registry_due_at__isnull=False),
                            fields=["registry_due_at"],
                            name="organization_registry_due",
                        )
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["sme", "hospital", "public", "operator"]),
                            name="organization_kind",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                registration__in=[
                                    "pending_registry",
                                    "active",
                                    "suspended",
                                    "closed",
                                    "unverifiable",
                                ]
                            ),
                            name="organization_registration",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Membership",
                fields=[
                    ("id", _id()),
                    (
                        "public_id",
                        models.CharField(
                            db_default=Concat(
                                models.Value("mem_"),
                                Substr(
                                    Replace(
                                        Cast(RandomUUID(), models.CharField()),
                                        models.Value("-"),
                                        models.Value(""),
                                    ),
                                    1,
                                    20,
                                ),
                            ),
                            max_length=24,
                            unique=True,
                        ),
                    ),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="memberships",
                            to="tenants.organization",
                        ),
                    ),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="memberships",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("role", models.CharField(max_length=16)),
                    ("all_projects", models.BooleanField(default=True)),
                    (
                        "projects",
                        ArrayField(
                            base_field=models.CharField(max_length=24),
                            default=list,
                            help_text="Public ids; an unknown one allows nothing. Empty with all_projects.",
                        ),
                    ),
                    ("joined_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "user"), name="membership_once"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="membership_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("all_projects", True),
                                models.Q(role__in=("owner", "administrator"), _negated=True),
                                _connector="OR",
                            ),
                            name="membership_whole",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                role__in=[
                                    "owner",
                                    "administrator",
                                    "developer",
                                    "budget_officer",
                                    "auditor",
                                ]
                            ),
                            name="membership_role",
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="AuditEvent",
                fields=[
                    ("id", _id()),
                    (
                        "public_id",
                        models.CharField(
                            db_default=Concat(
                                models.Value("aud_"),
                                Substr(
                                    Replace(
                                        Cast(RandomUUID(), models.CharField()),
                                        models.Value("-"),
                                        models.Value(""),
                                    ),
                                    1,
                                    20,
                                ),
                            ),
                            max_length=24,
                            unique=True,
                        ),
                    ),
                    ("organization", _to("tenants.organization")),
                    ("at", models.DateTimeField()),
                    ("transaction", models.BigIntegerField(db_default=0)),
                    ("actor_kind", models.CharField(max_length=12)),
                    (
                        "actor",
                        models.CharField(
                            db_default="", help_text="usr_…, key_…, system:…", max_length=60
                        ),
                    ),
                    (
                        "on_behalf",
                        models.CharField(
                            blank=True,
                            db_default="",
                            help_text="usr_… of a key's maker, or org_…",
                            max_length=24,
                        ),
                    ),
                    ("verb", models.CharField(max_length=60)),
                    ("group", models.CharField(db_default="other", max_length=8)),
                    ("subject", models.CharField(max_length=120)),
                    ("changes", models.JSONField(default=dict)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("address", models.CharField(blank=True, db_default="", max_length=45)),
                    ("request_id", models.CharField(blank=True, db_default="", max_length=40)),
                ],
                options={
                    "ordering": ["-at", "-id"],
                    "indexes": [
                        models.Index(fields=["organization", "-at"], name="audit_org_time"),
                        models.Index(
                            fields=["organization", "transaction", "id"], name="audit_org_sealing"
                        ),
                        models.Index(
                            fields=["organization", "actor", "-at", "-id"], name="audit_org_actor"
                        ),
                        models.Index(
                            fields=["organization", "subject", "-at", "-id"],
                            name="audit_org_subject",
                        ),
                        models.Index(
                            fields=["organization", "group", "-at", "-id"], name="audit_org_group"
                        ),
                        models.Index(
                            condition=models.Q(on_behalf__startswith="org_"),
                            fields=["on_behalf", "-at", "-id"],
                            name="audit_by_operator",
                        ),
                        models.Index(
                            condition=models.Q(verb__startswith="operator."),
                            fields=["organization", "-at", "-id"],
                            name="audit_operators_deeds",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="AuditPerson",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("ref", models.CharField(max_length=24)),
                    ("label", models.CharField(blank=True, max_length=120)),
                    ("email", models.CharField(blank=True, max_length=254)),
                    (
                        "formerly",
                        ArrayField(
                            base_field=models.CharField(max_length=254),
                            default=list,
                            help_text="Earlier names and addresses: what was copied beside things bears them.",
                        ),
                    ),
                    ("erased_at", models.DateTimeField(null=True)),
                ],
                options={
                    "indexes": [models.Index(fields=["ref"], name="audit_person_ref")],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "ref"), name="audit_person_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="AuditSeal",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
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
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "number"), name="audit_seal_number"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="AuditPruning",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
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
                name="AuditChain",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="+", to="tenants.organization"
                        ),
                    ),
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
                ],
            ),
            migrations.CreateModel(
                name="AuditRetention",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="+", to="tenants.organization"
                        ),
                    ),
                    ("access_months", models.PositiveSmallIntegerField(default=24)),
                    ("rights_months", models.PositiveSmallIntegerField(default=36)),
                    ("other_months", models.PositiveSmallIntegerField(default=36)),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                access_months__range=(24, 120),
                                other_months__range=(12, 120),
                                rights_months__range=(36, 120),
                            ),
                            name="audit_retention_lawful",
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Deputyship",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "absent",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="deputies",
                            to="tenants.membership",
                        ),
                    ),
                    (
                        "deputy",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="stands_in",
                            to="tenants.membership",
                        ),
                    ),
                    ("starts_date", models.DateField()),
                    ("ends_date", models.DateField()),
                    ("created_at", models.DateTimeField()),
                    ("created_by", models.CharField(max_length=120)),
                    ("revoked_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-starts_date", "-id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(starts_date__lt=models.F("ends_date")),
                            name="deputyship_period",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(absent=models.F("deputy"), _negated=True),
                            name="deputyship_of_another",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="StoredFile",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="files",
                            to="tenants.organization",
                        ),
                    ),
                    ("name", models.CharField(max_length=120)),
                    ("media_type", models.CharField(max_length=60)),
                    ("size", models.PositiveIntegerField(help_text="Bytes.")),
                    ("sha256", models.CharField(max_length=64)),
                    ("content", models.BinaryField()),
                    ("created_by", models.CharField(max_length=120)),
                    (
                        "made_by",
                        models.ForeignKey(
                            help_text="Who handed it in.",
                            null=True,
                            on_delete=models.SET_NULL,
                            related_name="+",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="stored_file_org_id"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Incident",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("title_ko", models.CharField(max_length=120)),
                    ("title_en", models.CharField(max_length=120)),
                    (
                        "sites",
                        ArrayField(
                            base_field=models.CharField(max_length=32),
                            default=list,
                            help_text="Codes of sites; none: the portal.",
                        ),
                    ),
                    ("began_at", models.DateTimeField()),
                    ("ended_at", models.DateTimeField(null=True)),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["-began_at", "-id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                ended_at=None, ended_at__gte=models.F("began_at"), _connector="OR"
                            ),
                            name="incident_ends_after_it_began",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="IncidentUpdate",
                fields=[
                    ("id", _id()),
                    (
                        "incident",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="updates", to="tenants.incident"
                        ),
                    ),
                    ("text_ko", models.TextField(max_length=2000)),
                    ("text_en", models.TextField(max_length=2000)),
                    (
                        "by",
                        models.CharField(help_text="The public id of the person.", max_length=24),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="Invitation",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="invitations",
                            to="tenants.organization",
                        ),
                    ),
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
                        ArrayField(base_field=models.CharField(max_length=24), default=list),
                    ),
                    ("token_sha256", models.CharField(max_length=64, unique=True)),
                    ("invited_by", _to(settings.AUTH_USER_MODEL)),
                    ("created_at", models.DateTimeField()),
                    ("sent_at", models.DateTimeField()),
                    ("sends", models.PositiveSmallIntegerField(default=1)),
                    ("expires_at", models.DateTimeField()),
                    ("accepted_at", models.DateTimeField(null=True)),
                    ("revoked_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-created_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(accepted_at=None, revoked_at=None),
                            fields=("organization", "email"),
                            name="invitation_open_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                role__in=[
                                    "owner",
                                    "administrator",
                                    "developer",
                                    "budget_officer",
                                    "auditor",
                                ]
                            ),
                            name="invitation_role",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(accepted_at=None, revoked_at=None, _connector="OR"),
                            name="invitation_one_end",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Project",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="projects",
                            to="tenants.organization",
                        ),
                    ),
                    ("name", models.CharField(max_length=60)),
                    ("cost_centre", models.CharField(blank=True, max_length=40)),
                    ("data_class", models.CharField(default="open", max_length=16)),
                    (
                        "regions",
                        ArrayField(
                            base_field=models.CharField(max_length=24),
                            default=list,
                            help_text="Empty: any region.",
                        ),
                    ),
                    (
                        "replay",
                        models.BooleanField(
                            default=False,
                            help_text="Answers to requests with an Idempotency-Key are kept, sealed.",
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                    ("archived_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["created_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="project_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(archived_at=None),
                            fields=("organization", "name"),
                            name="project_name_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                data_class__in=["open", "sensitive", "confidential", "medical"]
                            ),
                            name="project_data_class",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("replay", False),
                                models.Q(data_class__in=("confidential", "medical"), _negated=True),
                                _connector="OR",
                            ),
                            name="project_replay",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ModelAlias",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="aliases", to="tenants.project"
                        ),
                    ),
                    ("name", models.CharField(max_length=64)),
                    (
                        "target",
                        models.CharField(
                            help_text="A model of the catalogue, or the name of an endpoint.",
                            max_length=64,
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["name"],
                    "constraints": [
                        models.UniqueConstraint(
                            Lower("name"), models.F("project"), name="model_alias_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ApiKey",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="keys", to="tenants.organization"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="keys", to="tenants.project"
                        ),
                    ),
                    ("name", models.CharField(max_length=60)),
                    ("mode", models.CharField(default="live", max_length=8)),
                    ("public_part", models.CharField(max_length=40)),
                    ("sha256", models.CharField(max_length=64, unique=True)),
                    (
                        "allowed_models",
                        ArrayField(base_field=models.CharField(max_length=64), default=list),
                    ),
                    (
                        "allowed_sites",
                        ArrayField(base_field=models.CharField(max_length=32), default=list),
                    ),
                    (
                        "scopes",
                        ArrayField(base_field=models.CharField(max_length=16), default=list),
                    ),
                    (
                        "allowed_addresses",
                        ArrayField(
                            base_field=models.CharField(max_length=49),
                            default=list,
                            help_text="CIDR. Empty: from anywhere.",
                        ),
                    ),
                    ("rpm_limit", models.PositiveIntegerField(default=60)),
                    (
                        "tpm_limit",
                        models.PositiveIntegerField(
                            default=0,
                            help_text="Tokens a minute, worst cases counted. 0: no such limit.",
                        ),
                    ),
                    ("concurrency_limit", models.PositiveIntegerField(default=16)),
                    ("created_by", models.CharField(max_length=120)),
                    (
                        "made_by",
                        models.ForeignKey(
                            help_text="Answers for the key.",
                            null=True,
                            on_delete=models.SET_NULL,
                            related_name="+",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "replaces",
                        models.CharField(
                            blank=True, help_text="The key it was rotated from.", max_length=24
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                    ("expires_at", models.DateTimeField(null=True)),
                    ("revoked_at", models.DateTimeField(null=True)),
                    ("used_at", models.DateTimeField(help_text="Known to the minute.", null=True)),
                    (
                        "used_from",
                        models.CharField(blank=True, help_text="Internet address.", max_length=45),
                    ),
                ],
                options={
                    "ordering": ["-created_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="api_key_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(mode__in=["live", "test"]), name="api_key_mode"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Mail",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization", null=True)),
                    ("to", models.EmailField(max_length=254)),
                    ("subject", models.CharField(max_length=200)),
                    ("text", models.TextField()),
                    ("html", models.TextField()),
                    ("message_id", models.CharField(max_length=120, unique=True)),
                    ("state", models.CharField(default="queued", max_length=8)),
                    ("queued_at", models.DateTimeField()),
                    ("next_at", models.DateTimeField(help_text="Not tried before.")),
                    ("attempts", models.PositiveSmallIntegerField(default=0)),
                    (
                        "lease",
                        models.CharField(blank=True, help_text="Who sends it now.", max_length=24),
                    ),
                    ("lease_until", models.DateTimeField(null=True)),
                    ("maybe_twice", models.BooleanField(default=False)),
                    (
                        "fault",
                        models.CharField(
                            blank=True, help_text="Of the last attempt.", max_length=200
                        ),
                    ),
                    ("sent_at", models.DateTimeField(null=True)),
                    (
                        "emptied_at",
                        models.DateTimeField(help_text="When its texts were forgotten.", null=True),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=models.Q(state="queued"), fields=["next_at"], name="mail_due"
                        ),
                        models.Index(
                            condition=models.Q(state="sending"),
                            fields=["lease_until"],
                            name="mail_leased",
                        ),
                        models.Index(
                            condition=models.Q(emptied_at=None),
                            fields=["queued_at"],
                            name="mail_with_text",
                        ),
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(state__in=["queued", "sending", "sent", "failed"]),
                            name="mail_state",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Notice",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization", null=True)),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="notices",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("kind", models.CharField(max_length=40)),
                    (
                        "words",
                        models.JSONField(
                            default=dict, help_text="What the sentence of the kind names."
                        ),
                    ),
                    (
                        "place",
                        models.CharField(
                            blank=True, help_text="Where it leads: a path.", max_length=200
                        ),
                    ),
                    (
                        "project",
                        models.CharField(
                            blank=True, help_text="Public id of the project.", max_length=24
                        ),
                    ),
                    (
                        "mail",
                        models.CharField(
                            default="never", help_text="now, later, digest, never", max_length=8
                        ),
                    ),
                    (
                        "mailed_at",
                        models.DateTimeField(
                            help_text="When the mail that has it was queued.", null=True
                        ),
                    ),
                    ("at", models.DateTimeField()),
                    ("read_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-at", "-id"],
                    "indexes": [
                        models.Index(fields=["user", "-at"], name="notice_user_time"),
                        models.Index(
                            condition=models.Q(read_at=None),
                            fields=["user", "organization"],
                            name="notice_unread",
                        ),
                        models.Index(
                            condition=models.Q(mail="digest", mailed_at=None),
                            fields=["user", "at"],
                            name="notice_for_digest",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="NoticePreference",
                fields=[
                    (
                        "user",
                        models.OneToOneField(
                            on_delete=models.CASCADE,
                            primary_key=True,
                            related_name="notice_preference",
                            serialize=False,
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("language", models.CharField(default="ko", max_length=2)),
                    (
                        "mail",
                        models.JSONField(
                            default=dict, help_text="Group of kinds → now, digest or off."
                        ),
                    ),
                    (
                        "quiet_from",
                        models.PositiveSmallIntegerField(help_text="Hour in Korea.", null=True),
                    ),
                    (
                        "quiet_until",
                        models.PositiveSmallIntegerField(help_text="Hour in Korea.", null=True),
                    ),
                    (
                        "digest_hour",
                        models.PositiveSmallIntegerField(default=9, help_text="Hour in Korea."),
                    ),
                    (
                        "digested_date",
                        models.DateField(help_text="Business day of the last digest.", null=True),
                    ),
                    (
                        "muted_projects",
                        ArrayField(base_field=models.CharField(max_length=24), default=list),
                    ),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(language__in=["ko", "en"]), name="notice_language"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(quiet_from=None, quiet_until=None),
                                models.Q(
                                    ("quiet_from__lt", 24),
                                    ("quiet_until__lt", 24),
                                    models.Q(quiet_from=models.F("quiet_until"), _negated=True),
                                ),
                                _connector="OR",
                            ),
                            name="notice_quiet_hours",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(digest_hour__lt=24), name="notice_digest_hour"
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="KeyAnnouncement",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "key",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="+", to="tenants.apikey"
                        ),
                    ),
                    ("what", models.CharField(max_length=12)),
                    (
                        "about",
                        models.DateTimeField(
                            help_text="The end that was announced; else when it was made."
                        ),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("key", "what", "about"), name="key_announced_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="OperatorHold",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="holds",
                            to="tenants.organization",
                        ),
                    ),
                    (
                        "because",
                        models.CharField(help_text="The customer reads it.", max_length=300),
                    ),
                    ("held_at", models.DateTimeField()),
                    ("held_by", models.CharField(max_length=120)),
                    ("lifted_at", models.DateTimeField(null=True)),
                    ("lifted_by", models.CharField(blank=True, max_length=120)),
                    ("lifted_because", models.CharField(blank=True, max_length=300)),
                ],
                options={
                    "ordering": ["-held_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(lifted_at=None),
                            fields=("organization",),
                            name="operator_hold_once",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="PaymentHold",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="payment_holds",
                            to="tenants.organization",
                        ),
                    ),
                    (
                        "document",
                        models.CharField(
                            help_text="Public id of the unpaid invoice.", max_length=24
                        ),
                    ),
                    ("number", models.CharField(help_text="Its number.", max_length=20)),
                    ("held_at", models.DateTimeField()),
                    ("lifted_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-held_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(lifted_at=None),
                            fields=("organization",),
                            name="payment_hold_once",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Quota",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="quotas",
                            to="tenants.organization",
                        ),
                    ),
                    (
                        "name",
                        models.CharField(help_text="A name of tenants.quotas.", max_length=32),
                    ),
                    ("most", models.PositiveIntegerField()),
                    ("because", models.CharField(max_length=300)),
                    ("set_by", models.CharField(max_length=120)),
                    ("set_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "name"), name="quota_once")
                    ]
                },
            ),
            migrations.CreateModel(
                name="QuotaRaise",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "name",
                        models.CharField(help_text="A name of tenants.quotas.", max_length=32),
                    ),
                    ("from_most", models.PositiveIntegerField()),
                    ("to_most", models.PositiveIntegerField()),
                    ("because", models.CharField(max_length=300)),
                    ("state", models.CharField(default="open", max_length=16)),
                    ("asked_at", models.DateTimeField()),
                    ("asked_by", models.CharField(max_length=120)),
                    ("decided_at", models.DateTimeField(null=True)),
                    ("decided_by", models.CharField(blank=True, max_length=120)),
                    ("decided_because", models.CharField(blank=True, max_length=300)),
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(state="open"),
                            fields=("organization", "name"),
                            name="quota_raise_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["open", "granted", "refused", "withdrawn"]
                            ),
                            name="quota_raise_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="OperatorNote",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("text", models.TextField(max_length=2000)),
                    ("by", models.CharField(max_length=120)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="StaffView",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("staff", _to(settings.AUTH_USER_MODEL)),
                    ("staff_label", models.CharField(max_length=120)),
                    (
                        "because",
                        models.CharField(help_text="The customer reads it.", max_length=300),
                    ),
                    (
                        "request",
                        models.CharField(
                            blank=True,
                            help_text="The support request that consented to it.",
                            max_length=24,
                        ),
                    ),
                    ("began_at", models.DateTimeField()),
                    ("until", models.DateTimeField()),
                    ("ended_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-began_at", "-id"],
                    "indexes": [
                        models.Index(fields=["staff", "-began_at"], name="view_staff_time")
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(until__gt=models.F("began_at")),
                            name="view_has_an_end",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Proposal",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization", help_text="The operator's own.")),
                    ("kind", models.CharField(max_length=40)),
                    (
                        "subject",
                        models.CharField(
                            help_text="What it is about: an id or a name.", max_length=64
                        ),
                    ),
                    ("payload", models.JSONField(default=dict)),
                    ("because", models.CharField(max_length=300)),
                    ("proposed_by", _to(settings.AUTH_USER_MODEL)),
                    ("proposed_at", models.DateTimeField()),
                    ("expires_at", models.DateTimeField()),
                    ("decision", models.CharField(default="open", max_length=12)),
                    ("decided_by", _to(settings.AUTH_USER_MODEL, null=True)),
                    ("decided_at", models.DateTimeField(null=True)),
                    ("decided_because", models.CharField(blank=True, max_length=300)),
                ],
                options={
                    "ordering": ["-proposed_at", "-id"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(decision="open"),
                            fields=["expires_at"],
                            name="proposal_open",
                        )
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                decision__in=["open", "approved", "rejected", "expired"]
                            ),
                            name="proposal_decision",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(decision="approved", _negated=True),
                                models.Q(
                                    ("decided_by__isnull", False),
                                    models.Q(decided_by=models.F("proposed_by"), _negated=True),
                                ),
                                _connector="OR",
                            ),
                            name="proposal_takes_two",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(decision="open"),
                            fields=("kind", "subject"),
                            name="proposal_open_once",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="PersonalExport",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="exports",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("language", models.CharField(max_length=8)),
                    ("asked_at", models.DateTimeField()),
                    ("attempts", models.PositiveSmallIntegerField(default=0)),
                    ("made_at", models.DateTimeField(null=True)),
                    ("expires_at", models.DateTimeField(null=True)),
                    ("size", models.PositiveIntegerField(default=0, help_text="Bytes.")),
                    ("content", models.BinaryField(default=b"")),
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(made_at=None),
                            fields=("user",),
                            name="export_one_at_a_time",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="AccountDeletion",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="deletions",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("asked_at", models.DateTimeField()),
                    ("due_at", models.DateTimeField()),
                    (
                        "held_at",
                        models.DateTimeField(
                            help_text="Due, but the person is the last owner of an organization.",
                            null=True,
                        ),
                    ),
                    ("undone_at", models.DateTimeField(null=True)),
                    ("done_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-asked_at", "-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(done_at=None, undone_at=None),
                            fields=("user",),
                            name="deletion_once",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Policy",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="policy",
                            to="tenants.organization",
                        ),
                    ),
                    ("mfa_required", models.BooleanField(default=False)),
                    ("sso_only", models.BooleanField(default=False)),
                    (
                        "allowed_addresses",
                        ArrayField(
                            base_field=models.CharField(max_length=49),
                            default=list,
                            help_text="CIDR. Empty: from anywhere.",
                        ),
                    ),
                    ("idle_minutes", models.PositiveIntegerField(null=True)),
                    ("session_hours", models.PositiveIntegerField(null=True)),
                    ("changed_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="SingleSignOn",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="single_sign_on",
                            to="tenants.organization",
                        ),
                    ),
                    ("issuer", models.URLField()),
                    ("client_id", models.CharField(max_length=200)),
                    ("sealed_secret", models.TextField()),
                    ("made_at", models.DateTimeField()),
                    ("tested_at", models.DateTimeField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name="SingleSignOnIdentity",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("issuer", models.CharField(max_length=200)),
                    ("subject", models.CharField(max_length=255)),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                        ),
                    ),
                    ("bound_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "issuer", "subject"), name="sso_subject_once"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "issuer", "user"), name="sso_user_once"
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="DomainClaim",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="domains",
                            to="tenants.organization",
                        ),
                    ),
                    ("domain", models.CharField(max_length=253)),
                    ("token", models.CharField(max_length=64)),
                    ("made_at", models.DateTimeField()),
                    ("proven_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["domain"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "domain"), name="domain_claim_once"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(proven_at__isnull=False),
                            fields=("domain",),
                            name="domain_proven_once",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="RegistrationMove",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="registration_moves",
                            to="tenants.organization",
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=20)),
                    ("to_state", models.CharField(max_length=20)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="Evidence",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="evidence",
                            to="tenants.organization",
                        ),
                    ),
                    ("file", _to("tenants.storedfile")),
                    ("kind", models.CharField(max_length=12)),
                    ("state", models.CharField(default="waiting", max_length=12)),
                    ("handed_in_at", models.DateTimeField()),
                    ("handed_in_by", models.CharField(max_length=120)),
                    ("decided_at", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-handed_in_at", "-id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(state__in=["waiting", "accepted", "returned"]),
                            name="evidence_state",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="EvidenceRequest",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="evidence_requests",
                            to="tenants.organization",
                        ),
                    ),
                    ("message", models.CharField(max_length=1000)),
                    ("asked_at", models.DateTimeField()),
                    ("answered_at", models.DateTimeField(null=True)),
                ],
                options={"ordering": ["-asked_at", "-id"]},
            ),
            migrations.CreateModel(
                name="Terms",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=40, unique=True)),
                    ("document", models.CharField(help_text="service, privacy", max_length=20)),
                    ("version", models.CharField(max_length=20)),
                    ("effective_at", models.DateTimeField()),
                    ("title_ko", models.CharField(max_length=80)),
                    ("title_en", models.CharField(max_length=80)),
                    ("text_ko", models.TextField()),
                    ("text_en", models.TextField()),
                ],
                options={
                    "ordering": ["-document", "-effective_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("document", "version"), name="terms_version_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Consent",
                fields=[
                    ("id", _id()),
                    (
                        "organization",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="consents",
                            to="tenants.organization",
                        ),
                    ),
                    ("user", _to(settings.AUTH_USER_MODEL)),
                    ("terms", _to("tenants.terms")),
                    ("at", models.DateTimeField()),
                    ("language", models.CharField(max_length=8)),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="Signup",
                fields=[
                    ("id", _id()),
                    (
                        "user",
                        models.OneToOneField(
                            on_delete=models.CASCADE,
                            related_name="signup",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("choice", models.CharField(blank=True, max_length=16)),
                    ("name", models.CharField(blank=True, max_length=80)),
                    ("business_number", models.CharField(blank=True, max_length=10)),
                    ("medical_number", models.CharField(blank=True, max_length=8)),
                    ("corporate_number", models.CharField(blank=True, max_length=13)),
                    ("terms", ArrayField(base_field=models.CharField(max_length=40), default=list)),
                    ("terms_at", models.DateTimeField(null=True)),
                    ("terms_language", models.CharField(blank=True, max_length=8)),
                    ("saved_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="AccessReview",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="access_review_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "quarter"), name="access_review_once"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="AccessLine",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "review",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="lines",
                            to="tenants.accessreview",
                        ),
                    ),
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
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("review", "kind", "subject"), name="access_line_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(decided_at=None, decision=""),
                                models.Q(
                                    decided_at__isnull=False, decision__in=["confirmed", "removed"]
                                ),
                                _connector="OR",
                            ),
                            name="access_line_decision",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="SignIn",
                fields=[
                    ("id", _id()),
                    (
                        "user",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="sign_ins",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    ("at", models.DateTimeField()),
                    ("address", models.CharField(blank=True, max_length=45)),
                    ("user_agent", models.CharField(blank=True, max_length=200)),
                    ("methods", models.CharField(blank=True, max_length=80)),
                    ("device", models.CharField(max_length=64)),
                ],
                options={
                    "ordering": ["-at", "-id"],
                    "indexes": [models.Index(fields=["user", "-at"], name="sign_in_user_time")],
                },
            ),
            migrations.CreateModel(
                name="SupportRequest",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "requester",
                        models.CharField(help_text="The public id of the person.", max_length=24),
                    ),
                    ("kind", models.CharField(max_length=12)),
                    ("severity", models.CharField(max_length=12)),
                    ("state", models.CharField(default="new", max_length=16)),
                    ("subject", models.CharField(max_length=120)),
                    ("path", models.CharField(blank=True, max_length=200)),
                    ("request_id", models.CharField(blank=True, max_length=64)),
                    (
                        "project",
                        models.CharField(
                            blank=True, help_text="Public id of the project.", max_length=24
                        ),
                    ),
                    ("incident", _to("tenants.incident", null=True)),
                    (
                        "assignee",
                        models.CharField(
                            blank=True, help_text="One of the operator's staff.", max_length=24
                        ),
                    ),
                    ("created_at", models.DateTimeField()),
                    ("moved_at", models.DateTimeField(help_text="Since when it has its state.")),
                    ("due_at", models.DateTimeField(help_text="The first answer.")),
                    (
                        "answered_at",
                        models.DateTimeField(help_text="The first answer was given.", null=True),
                    ),
                    ("told_overdue_at", models.DateTimeField(null=True)),
                    ("idempotency_key", models.CharField(blank=True, max_length=80)),
                    ("fingerprint", models.CharField(blank=True, max_length=64)),
                ],
                options={
                    "ordering": ["-id"],
                    "indexes": [
                        models.Index(
                            fields=["organization", "-id"], name="support_of_organization"
                        ),
                        models.Index(
                            condition=models.Q(
                                answered_at=None, state__in=["new", "with_operator"]
                            ),
                            fields=["due_at"],
                            name="support_due",
                        ),
                        models.Index(
                            condition=models.Q(state="solved"),
                            fields=["moved_at"],
                            name="support_solved",
                        ),
                        models.Index(fields=["state", "due_at"], name="support_queue"),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="support_request_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(idempotency_key="", _negated=True),
                            fields=("organization", "requester", "idempotency_key"),
                            name="support_request_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "new",
                                    "with_operator",
                                    "with_customer",
                                    "solved",
                                    "closed",
                                ]
                            ),
                            name="support_request_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="SupportMessage",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="messages",
                            to="tenants.supportrequest",
                        ),
                    ),
                    ("side", models.CharField(max_length=10)),
                    (
                        "author",
                        models.CharField(help_text="The public id of the person.", max_length=24),
                    ),
                    ("text", models.TextField(max_length=10000)),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["id"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(side__in=["customer", "operator"]),
                            name="support_message_side",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="SupportRemark",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("request", _to("tenants.supportrequest")),
                    ("author", models.CharField(max_length=24)),
                    ("text", models.TextField(max_length=10000)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["id"]},
            ),
            migrations.CreateModel(
                name="SupportAttachment",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="attachments",
                            to="tenants.supportrequest",
                        ),
                    ),
                    ("file", _to("tenants.storedfile")),
                    ("side", models.CharField(max_length=10)),
                    ("author", models.CharField(max_length=24)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["id"]},
            ),
            migrations.CreateModel(
                name="SupportMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="moves",
                            to="tenants.supportrequest",
                        ),
                    ),
                    ("what", models.CharField(help_text="state or severity", max_length=8)),
                    ("before", models.CharField(blank=True, max_length=16)),
                    ("after", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("side", models.CharField(max_length=10)),
                    ("by", models.CharField(blank=True, max_length=24)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["id"]},
            ),
            migrations.CreateModel(
                name="SupportConsent",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="consents",
                            to="tenants.supportrequest",
                        ),
                    ),
                    ("given_by", models.CharField(max_length=24)),
                    ("given_at", models.DateTimeField()),
                    ("until", models.DateTimeField()),
                    ("ended_at", models.DateTimeField(null=True)),
                    (
                        "ended_because",
                        models.CharField(
                            blank=True, help_text="withdrawn or closed", max_length=10
                        ),
                    ),
                ],
                options={
                    "ordering": ["-id"],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=models.Q(ended_at=None),
                            fields=("request",),
                            name="support_consent_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(until__gt=models.F("given_at")),
                            name="support_consent_has_an_end",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="SupportFollower",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "request",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="followers",
                            to="tenants.supportrequest",
                        ),
                    ),
                    ("person", models.CharField(max_length=24)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("request", "person"), name="support_follower_once"
                        )
                    ]
                },
            ),
        )
    ]
