"""Invoices of before the journal post what they moved, as ``billing.drafts.transfers`` says it."""

from django.db import migrations

POSTED = """
    WITH before AS (
      SELECT i.*, coalesce((
        SELECT sum(l.exact_micro) FROM billing_invoiceline l WHERE l.invoice_id = i.id
      ), 0) AS micro
      FROM billing_invoice i WHERE NOT EXISTS (
        SELECT 1 FROM billing_posting p WHERE p.organization_id = i.organization_id
          AND p.kind = 'invoice' AND p.reference = i.public_id
      )
    ), moved AS (
      SELECT b.*, t.account, t.amount,
        row_number() OVER (PARTITION BY b.id ORDER BY t.place) AS position
      FROM before b CROSS JOIN LATERAL (VALUES
        (1, 'accrued', b.micro),
        (2, 'rounding', b.supply_won * 1000000 - b.micro),
        (3, 'vat', b.vat_won * 1000000::numeric)
      ) t (place, account, amount)
      WHERE t.amount <> 0
    )
    INSERT INTO billing_posting (organization_id, day, kind, reference, position, debit, credit,
      amount_micro, posted_at)
    SELECT organization_id, (issued_at AT TIME ZONE 'Asia/Seoul')::date, 'invoice', public_id,
      position, CASE WHEN amount > 0 THEN 'receivable' ELSE account END,
      CASE WHEN amount > 0 THEN account ELSE 'receivable' END, abs(amount), issued_at
    FROM moved ORDER BY issued_at, id, position
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_storage_tariff")]

    operations = [
        migrations.RunSQL(
            # The tables' owner is behind the wall as well: no rows without the system role.
            ["SET LOCAL ROLE dure_system", POSTED, "RESET ROLE"],
            migrations.RunSQL.noop,
        )
    ]
