"""The audit log: append-only, in the order of transactions, and what may end of it.

The guard lets through one removal: of a sealed event whose time by law is over and for which a
pruning record stands. No role of a program may change or remove events at all; the one function
that removes runs as the owner.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import AppendOnly, TenantTable

GUARD = """
    CREATE FUNCTION tenants_auditevent_append_only() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
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

      RAISE EXCEPTION 'tenants_auditevent is append-only' USING ERRCODE = 'restrict_violation';
    END $$
"""

PRUNE = """
    CREATE FUNCTION tenants_audit_prune(org bigint, pruning bigint) RETURNS bigint
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


class Migration(migrations.Migration):
    replaces = [("tenants", "0023_payment_hold")]

    dependencies = [("tenants", "0002_baseline_wall")]

    operations = [
        # Of before events named people by opaque ids: empty by default, in no model.
        RunSQL(
            "ALTER TABLE tenants_auditevent ADD actor_label varchar(120) DEFAULT '' NOT NULL,"
            " ADD actor_ref varchar(40) DEFAULT '' NOT NULL"
        ),
        TenantTable("tenants_auditevent"),
        TenantTable("tenants_auditchain"),
        TenantTable("tenants_auditperson"),
        TenantTable("tenants_auditpruning"),
        TenantTable("tenants_auditretention"),
        TenantTable("tenants_auditseal"),
        AppendOnly("tenants_auditevent", refuses=GUARD),
        AppendOnly("tenants_auditseal"),
        AppendOnly("tenants_auditpruning"),
        # The order of sealing is the order of transactions; nobody may choose a row's place in it.
        RunSQL(
            [
                "CREATE FUNCTION tenants_auditevent_stamp() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.transaction := pg_current_xact_id()::text::bigint; RETURN NEW; END $$",
                "CREATE TRIGGER stamp BEFORE INSERT ON tenants_auditevent "
                "FOR EACH ROW EXECUTE FUNCTION tenants_auditevent_stamp()",
            ]
        ),
        RunSQL(
            [
                PRUNE,
                "REVOKE ALL ON FUNCTION tenants_audit_prune(bigint, bigint) FROM PUBLIC",
                "GRANT EXECUTE ON FUNCTION tenants_audit_prune(bigint, bigint) TO dure_system",
                "REVOKE UPDATE, DELETE, TRUNCATE ON tenants_auditevent, tenants_auditseal,"
                " tenants_auditpruning FROM dure_app, dure_system",
                "REVOKE INSERT ON tenants_auditseal, tenants_auditpruning FROM dure_app",
            ]
        ),
    ]
