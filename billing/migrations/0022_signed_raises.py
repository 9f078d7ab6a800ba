"""Raises and transfers are signed by the rules of approvals. What was asked for before has no
request for approval: it ends, and is asked for again. Who decided on former raises stands in the
audit log."""

from django.db import migrations, models

_AS_OWNER = (
    "ALTER TABLE {0} NO FORCE ROW LEVEL SECURITY",  # the owner stands behind the wall too
    "{1}",
    "ALTER TABLE {0} FORCE ROW LEVEL SECURITY",
)
_RAISES = (
    "UPDATE billing_budgetraise SET decision = 'expired', decided_at = now() "
    "WHERE decision = 'open'"
)
_TRANSFERS = (
    "UPDATE billing_fiscaltransfer SET state = 'rejected', decided_at = now(), "
    "decided_because = '결재 절차가 바뀌었습니다. 다시 요청해 주세요.' WHERE state = 'open'"
)


def _ended(table: str, update: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        [one.format(table, update) for one in _AS_OWNER], migrations.RunSQL.noop
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0021_funding")]

    operations = [
        migrations.RemoveConstraint(model_name="budgetraise", name="budget_raise_decision"),
        migrations.AddConstraint(
            model_name="budgetraise",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decision__in", ["open", "approved", "refused", "withdrawn", "expired"])
                ),
                name="budget_raise_decision",
            ),
        ),
        _ended("billing_budgetraise", _RAISES),
        _ended("billing_fiscaltransfer", _TRANSFERS),
        migrations.RemoveField(model_name="budgetraise", name="decided_by"),
        migrations.RemoveField(model_name="budgetraise", name="decided_because"),
        migrations.AlterField(
            model_name="budgetraise",
            name="from_won",
            field=models.BigIntegerField(
                help_text="The limit before, as it was asked or approved."
            ),
        ),
    ]
