"""The wall between tenants: row-level security, keys that include the organization, append-only;
and the narrow functions that look over it.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import (
    OURS,
    AppendOnly,
    SystemFunction,
    TenantForeignKey,
    TenantTable,
    erased,
)

MINE = "user_id = (SELECT NULLIF(current_setting('app.user', true), '')::bigint)"
# Rows of the person's own organizations, which one function finds once a statement.
OF_PERSON = "{column} = ANY ((SELECT tenants_organizations_of_person())::bigint[])"
# One row by its index, on each page: here the sub-select costs more than it saves.
OURS_BY_INDEX = "organization_id = NULLIF(current_setting('app.org', true), '')::bigint"

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

# Lines of a signed review stay as they are, and get no company; but for names that end.
SIGNED_LINES = [
    "CREATE FUNCTION tenants_accessline_signed() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "DECLARE touched bigint; BEGIN "
    "IF TG_OP = 'DELETE' THEN touched := OLD.review_id; ELSE touched := NEW.review_id; END IF; "
    "IF EXISTS (SELECT 1 FROM tenants_accessreview r WHERE r.signed_at IS NOT NULL AND "
    "(r.id = touched OR (TG_OP <> 'INSERT' AND r.id = OLD.review_id))) THEN "
    "RAISE EXCEPTION 'the review is signed' USING ERRCODE = 'restrict_violation'; END IF; "
    "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER signed BEFORE INSERT OR DELETE ON tenants_accessline "
    "FOR EACH ROW EXECUTE FUNCTION tenants_accessline_signed()",
    "CREATE TRIGGER signed_update BEFORE UPDATE ON tenants_accessline "
    f"FOR EACH ROW WHEN (NOT ({erased('label', 'decided_by')})) "
    "EXECUTE FUNCTION tenants_accessline_signed()",
]


class Migration(migrations.Migration):
    replaces = [("tenants", "0022_organization_region")]

    dependencies = [("tenants", "0001_baseline")]

    operations = [
        SystemFunction(
            "tenants_organizations_of_person",
            "",
            "bigint[]",
            "SELECT coalesce(array_agg(m.organization_id), '{}') FROM tenants_membership m "
            "WHERE m.user_id = NULLIF(current_setting('app.user', true), '')::bigint",
        ),
        # Policies ask it of the tables' owner too, when it checks foreign keys.
        RunSQL(
            [
                "SET LOCAL ROLE dure_system",
                "GRANT EXECUTE ON FUNCTION tenants_organizations_of_person() TO SESSION_USER",
                "SET LOCAL ROLE NONE",
            ]
        ),
        TenantTable(
            "tenants_organization",
            mine="id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)",
            also_readable=OF_PERSON.format(column="id"),
        ),
        TenantTable("tenants_membership", also_readable=MINE),
        TenantTable("tenants_project"),
        TenantTable("tenants_apikey"),
        TenantTable("tenants_modelalias"),
        TenantTable("tenants_storedfile"),
        TenantTable("tenants_quotaraise"),
        TenantForeignKey("tenants_apikey", "project_id", "tenants_project"),
        TenantForeignKey("tenants_modelalias", "project_id", "tenants_project"),
        SystemFunction(
            "tenants_organization_of_key",
            "key_sha256 text",
            "bigint",
            "SELECT organization_id FROM tenants_apikey WHERE sha256 = key_sha256",
        ),
        # Rules of sign-in, an organization's own sign-in and mail domains.
        TenantTable("tenants_policy", also_readable=OF_PERSON.format(column="organization_id")),
        TenantTable("tenants_singlesignon"),
        TenantTable("tenants_singlesignonidentity"),
        TenantTable("tenants_domainclaim"),
        SystemFunction(
            "tenants_organization_of_domain",
            "mail_domain text",
            "bigint",
            "SELECT s.organization_id FROM tenants_domainclaim d JOIN tenants_singlesignon s"
            " USING (organization_id) WHERE d.domain = mail_domain AND d.proven_at IS NOT NULL",
        ),
        # A person reads and marks their own notices, of whichever organization; its other members
        # have no business with them.
        TenantTable("tenants_notice", mine=MINE),
        TenantTable("tenants_noticepreference", mine=MINE),
        TenantTable("tenants_mail", mine="false"),  # its texts hold codes and links
        TenantTable("tenants_keyannouncement"),
        TenantForeignKey("tenants_keyannouncement", "key_id", "tenants_apikey"),
        # What the operator keeps about customers. Written by nobody but the system role; a
        # customer reads what concerns it, notes never.
        TenantTable("tenants_operatorhold", mine="false", also_readable=OURS_BY_INDEX),
        TenantTable("tenants_paymenthold", mine="false", also_readable=OURS),
        TenantTable("tenants_quota", mine="false", also_readable=OURS),
        TenantTable("tenants_staffview", mine="false", also_readable=OURS),
        TenantTable("tenants_operatornote", mine="false"),
        TenantTable("tenants_proposal", mine="false"),
        AppendOnly("tenants_operatornote", may=erased("by")),
        AppendOnly(
            "tenants_operatorhold",
            unless="OLD.lifted_at IS NULL",
            may=erased("held_by", "lifted_by"),
        ),
        AppendOnly("tenants_paymenthold", unless="OLD.lifted_at IS NULL"),
        AppendOnly("tenants_staffview", unless="OLD.ended_at IS NULL", may=erased("staff_label")),
        AppendOnly("tenants_proposal", unless="OLD.decision = 'open'"),
        # People: invitations, deputies, access reviews that are kept.
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
        AppendOnly("tenants_accessreview", unless="OLD.signed_at IS NULL", may=erased("signed_by")),
        RunSQL(SIGNED_LINES),
        # Copies of personal data, and ends of accounts: the person's own.
        TenantTable("tenants_personalexport", mine=MINE),
        TenantTable("tenants_accountdeletion", mine=MINE),
        # How an organization becomes a customer: its registration, evidence, terms and consent.
        TenantTable("tenants_registrationmove"),
        TenantTable("tenants_evidence"),
        TenantTable("tenants_evidencerequest"),
        TenantTable("tenants_consent"),
        TenantTable("tenants_signup", mine=MINE),
        TenantForeignKey("tenants_evidence", "file_id", "tenants_storedfile"),
        AppendOnly("tenants_registrationmove"),
        AppendOnly("tenants_consent"),
        AppendOnly("tenants_terms"),
        # Requests to the operator, and incidents. Only platform work writes remarks and incidents.
        *(
            TenantTable(f"tenants_support{name}")
            for name in ("request", "message", "attachment", "move", "consent", "follower")
        ),
        # No customer's transaction reads a remark, whatever a page forgets.
        TenantTable("tenants_supportremark", mine="false"),
        TenantTable("tenants_incident", mine="false", also_readable="true"),
        TenantTable("tenants_incidentupdate", mine="false", also_readable="true"),
        *(
            TenantForeignKey(f"tenants_support{name}", "request_id", "tenants_supportrequest")
            for name in ("message", "remark", "attachment", "move", "consent", "follower")
        ),
        TenantForeignKey("tenants_supportattachment", "file_id", "tenants_storedfile"),
        AppendOnly("tenants_supportmove"),
        AppendOnly("tenants_incidentupdate"),
    ]
