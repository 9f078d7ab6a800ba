"""The outbox, preferences, announcements of keys; a notice may concern a person alone."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import TenantForeignKey, TenantTable

MINE = "user_id = NULLIF(current_setting('app.user', true), '')::bigint"
OURS = "organization_id = NULLIF(current_setting('app.org', true), '')::bigint"


def policy(condition: str) -> str:
    return f"ALTER POLICY tenant ON tenants_notice USING ({condition}) WITH CHECK ({condition})"


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0009_signin"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyAnnouncement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
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
                    models.CharField(blank=True, help_text="Of the last attempt.", max_length=200),
                ),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "emptied_at",
                    models.DateTimeField(help_text="When its texts were forgotten.", null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="NoticePreference",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
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
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="notice",
            name="mail",
            field=models.CharField(
                default="never", help_text="now, later, digest, never", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="mailed_at",
            field=models.DateTimeField(
                help_text="When the mail that has it was queued.", null=True
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="project",
            field=models.CharField(
                blank=True, help_text="Public id of the project.", max_length=24
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="organization",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("read_at", None)),
                fields=["user", "organization"],
                name="notice_unread",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("mail", "digest"), ("mailed_at", None)),
                fields=["user", "at"],
                name="notice_for_digest",
            ),
        ),
        migrations.AddField(
            model_name="keyannouncement",
            name="key",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.apikey"
            ),
        ),
        migrations.AddField(
            model_name="keyannouncement",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="mail",
            name="organization",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticepreference",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["ko", "en"])), name="notice_language"
            ),
        ),
        migrations.AddConstraint(
            model_name="noticepreference",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_from", None), ("quiet_until", None)),
                    models.Q(
                        ("quiet_from__lt", 24),
                        ("quiet_until__lt", 24),
                        models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="notice_quiet_hours",
            ),
        ),
        migrations.AddConstraint(
            model_name="noticepreference",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest_hour__lt", 24)), name="notice_digest_hour"
            ),
        ),
        migrations.AddConstraint(
            model_name="keyannouncement",
            constraint=models.UniqueConstraint(
                fields=("key", "what", "about"), name="key_announced_once"
            ),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(
                condition=models.Q(("state", "queued")), fields=["next_at"], name="mail_due"
            ),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(
                condition=models.Q(("state", "sending")), fields=["lease_until"], name="mail_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(
                condition=models.Q(("emptied_at", None)),
                fields=["queued_at"],
                name="mail_with_text",
            ),
        ),
        migrations.AddConstraint(
            model_name="mail",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "sending", "sent", "failed"])),
                name="mail_state",
            ),
        ),
        TenantTable("tenants_mail", mine="false"),  # its texts hold codes and links
        TenantTable("tenants_noticepreference", mine=MINE),
        TenantTable("tenants_keyannouncement"),
        TenantForeignKey("tenants_keyannouncement", "key_id", "tenants_apikey"),
        # A person reads and marks their own notices, of whichever organization.
        migrations.RunSQL(policy(f"{OURS} OR {MINE}"), policy(OURS)),
    ]
