"""Use of a closed year is a commitment of the present one, of an origin of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_signed_raises")]

    operations = [
        migrations.RemoveConstraint(model_name="fiscalcommitment", name="fiscal_commitment_origin"),
        migrations.AddConstraint(
            model_name="fiscalcommitment",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__in", ["document", "order", "usage", "late"])),
                name="fiscal_commitment_origin",
            ),
        ),
    ]
