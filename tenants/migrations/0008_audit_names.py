"""Names leave the log for their own table, in batches; then nobody's rights reach a row again.

While it runs, the guard lets through one change: the move of a row that has no opaque actor yet.
Afterwards it lets through one removal: of a sealed event whose time by law is over and for which
a pruning record stands. No role of a program may change or remove events at all; the one function
that removes runs as the owner.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models, transaction

BATCH = 5_000

GUARD = """
    CREATE OR REPLACE FUNCTION tenants_auditevent_append_only() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
      {exception}
      RAISE EXCEPTION 'tenants_auditevent is append-only' USING ERRCODE = 'restrict_violation';
    END $$
"""
MOVING = """
      IF TG_OP = 'UPDATE' THEN
        IF OLD.actor = '' AND NEW.actor <> '' THEN RETURN NEW; END IF;
      END IF;
"""
PRUNING = """
      IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - (CASE OLD."group" WHEN 'access' THEN interval '24 months'
                                              WHEN 'other' THEN interval '12 months'
                                              ELSE interval '36 months' END)
          AND EXISTS (
            SELECT 1 FROM (
              SELECT p.before, p.through FROM tenants_auditpruning p
              WHERE p.organization_id = OLD.organization_id AND p."group" = OLD."group"
              ORDER BY p.number DESC LIMIT 1
            ) last
            JOIN tenants_auditseal s
              ON s.organization_id = OLD.organization_id AND s.number = last.through
            WHERE OLD.at < last.before
              AND (OLD.transaction, OLD.id) <= (s.last_transaction, s.last_event)
          )
        THEN RETURN OLD; END IF;
      END IF;
"""
PRUNE = """
    CREATE OR REPLACE FUNCTION tenants_audit_prune(org bigint, pruning bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
      wanted bigint;
      removed bigint;
      before text := coalesce(current_setting('app.org', true), '');
    BEGIN
      PERFORM set_config('app.org', org::text, true);  -- the owner stands behind the wall too
      SELECT p.count INTO STRICT wanted FROM tenants_auditpruning p
        WHERE p.organization_id = org AND p.number = pruning;
      DELETE FROM tenants_auditevent e USING tenants_auditpruning p, tenants_auditseal s
        WHERE p.organization_id = org AND p.number = pruning
          AND s.organization_id = org AND s.number = p.through
          AND e.organization_id = org AND e."group" = p."group" AND e.at < p.before
          AND (e.transaction, e.id) <= (s.last_transaction, s.last_event);
      GET DIAGNOSTICS removed = ROW_COUNT;
      IF removed <> wanted THEN
        RAISE EXCEPTION 'the record says % events, % are there', wanted, removed;
      END IF;
      PERFORM set_config('app.org', before, true);
      RETURN removed;
    END $$
"""

PEOPLE = """
    INSERT INTO tenants_auditperson (organization_id, ref, label, email)
    SELECT DISTINCT ON (f.organization_id, f.address) f.organization_id,
      coalesce(u.public_id, 'usr_' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 20)),
      left(coalesce(nullif(f.label, ''), nullif(u.name, ''), f.address), 120),
      coalesce(u.email, f.address)
    FROM (
      SELECT organization_id, lower(actor_ref) AS address, actor_label AS label, id
        FROM tenants_auditevent WHERE actor = '' AND actor_kind = 'user'
      UNION ALL
      SELECT organization_id, lower(subject), '', 0
        FROM tenants_auditevent WHERE actor = '' AND position('@' IN subject) > 0
    ) f
    LEFT JOIN tenants_user u ON f.address <> '' AND left(u.email, length(f.address)) = f.address
      AND (u.email = f.address OR length(f.address) = 40)  -- longer ones were cut at 40
    WHERE NOT EXISTS (
      SELECT 1 FROM tenants_auditperson p
      WHERE p.organization_id = f.organization_id AND p.email = coalesce(u.email, f.address)
    )
    ORDER BY f.organization_id, f.address, f.id DESC
    ON CONFLICT DO NOTHING
"""
KEYS = """
    INSERT INTO tenants_auditperson (organization_id, ref, label, email)
    SELECT DISTINCT ON (organization_id, actor_ref) organization_id, left(actor_ref, 24),
      actor_label, ''
    FROM tenants_auditevent WHERE actor = '' AND actor_kind = 'key'
    ORDER BY organization_id, actor_ref, id DESC
    ON CONFLICT DO NOTHING
"""
PERSON = """
    (SELECT p.ref FROM tenants_auditperson p WHERE p.organization_id = e.organization_id
      AND left(p.email, length({0})) = lower({0}) AND (p.email = lower({0}) OR length({0}) = 40)
      LIMIT 1)
"""
MOVE = f"""
    UPDATE tenants_auditevent e SET
      actor = CASE e.actor_kind
        WHEN 'user' THEN coalesce({PERSON.format("e.actor_ref")}, 'usr_unknown')
        WHEN 'system' THEN left('system:' || e.actor_label, 60)
        ELSE coalesce(nullif(e.actor_ref, ''), 'key_unknown') END,
      subject = CASE WHEN position('@' IN e.subject) > 0
        THEN coalesce({PERSON.format("e.subject")}, e.subject) ELSE e.subject END,
      "group" = CASE WHEN e.verb LIKE 'member.%%' OR e.verb LIKE 'key.%%'
        OR e.verb = 'organization.create' THEN 'rights' ELSE 'other' END,
      actor_label = '', actor_ref = ''
    WHERE e.actor = '' AND e.id > %s AND e.id <= %s
"""


def move(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute(GUARD.format(exception=MOVING))
        with transaction.atomic(using=connection.alias):
            cursor.execute("SET LOCAL ROLE dure_system")
            cursor.execute("SELECT coalesce(max(id), 0) FROM tenants_auditevent")
            (last,) = cursor.fetchone()
            cursor.execute(PEOPLE)
            cursor.execute(KEYS)
        for start in range(0, last, BATCH):
            with transaction.atomic(using=connection.alias):
                cursor.execute("SET LOCAL ROLE dure_system")
                cursor.execute(MOVE, [start, start + BATCH])


class Migration(migrations.Migration):
    atomic = False  # batches, and indexes without a lock
    dependencies = [("tenants", "0007_audit")]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
        AddIndexConcurrently(
            "auditevent",
            models.Index(fields=["organization", "transaction", "id"], name="audit_org_sealing"),
        ),
        AddIndexConcurrently(
            "auditevent",
            models.Index(fields=["organization", "actor", "-at", "-id"], name="audit_org_actor"),
        ),
        AddIndexConcurrently(
            "auditevent",
            models.Index(
                fields=["organization", "subject", "-at", "-id"], name="audit_org_subject"
            ),
        ),
        AddIndexConcurrently(
            "auditevent",
            models.Index(fields=["organization", "group", "-at", "-id"], name="audit_org_group"),
        ),
        AddIndexConcurrently(
            "auditevent",
            models.Index(
                condition=models.Q(("on_behalf__startswith", "org_")),
                fields=["on_behalf", "-at", "-id"],
                name="audit_by_operator",
            ),
        ),
        migrations.RunSQL(
            [
                GUARD.format(exception=PRUNING),
                PRUNE,
                "REVOKE ALL ON FUNCTION tenants_audit_prune(bigint, bigint) FROM PUBLIC",
                "GRANT EXECUTE ON FUNCTION tenants_audit_prune(bigint, bigint) TO dure_system",
                "REVOKE UPDATE, DELETE, TRUNCATE ON tenants_auditevent, tenants_auditseal,"
                " tenants_auditpruning FROM dure_app, dure_system",
                "REVOKE INSERT ON tenants_auditseal, tenants_auditpruning FROM dure_app",
            ],
            ["DROP FUNCTION tenants_audit_prune(bigint, bigint)"],
        ),
    ]
