"""Another tenant's things: by id, cursor, version, export, form, SQL."""

from __future__ import annotations

from tests.breakins.table.attempt import NO_WALL, Cut, attempt

REQUESTS, CASES = "breakins/test_requests.py::", "tenants/test_wall_cases.py::"
OPS, PAGES = "tenants/migration_ops.py", "portal/api/pages.py"

NO_POLICY = Cut(
    OPS,
    'f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",',
    'f"CREATE POLICY tenant ON {table} USING (true) WITH CHECK (true)",',
)

ROWS = [
    attempt(
        "ask for another's project, key, endpoint, invoice by its id",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        "web/test_bad_input.py::test_case_74_a_strangers_thing_is_not_there",
        *NO_WALL,
    ),
    attempt(
        "walk every route with another's ids",
        "tenants.rls:tenant",
        "web/test_walk.py::test_shows_a_stranger_nothing_and_lets_them_change_nothing[another owner]",
        *NO_WALL,
    ),
    attempt(
        "put another's project into a form",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        REQUESTS + "test_anothers_project_in_a_form_makes_no_key_there",
        *NO_WALL,
        Cut(
            "tenants/rls.py",
            '    with _scope(str(organization_id), "" if user_id is None else str(user_id)):\n',
            '    with everyone(because="the wall is taken away"):\n',
        ),
    ),
    attempt(
        "put another's project into a call",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        REQUESTS + "test_anothers_project_in_a_call_makes_no_key_there",
        *NO_WALL,
        Cut(
            "tenants/rls.py",
            '    with _scope(str(organization_id), "" if user_id is None else str(user_id)):\n',
            '    with everyone(because="the wall is taken away"):\n',
        ),
    ),
    attempt(
        "change another's thing with the version that its owner sees",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        REQUESTS + "test_the_right_version_of_anothers_thing_changes_nothing",
        *NO_WALL,
    ),
    attempt(
        "download another's invoice, event or export",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        REQUESTS + "test_exports_of_others_are_not_there",
        *NO_WALL,
    ),
    attempt(
        "page on with a cursor of somebody else",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        "web/test_bad_input.py::test_case_86_a_cursor_of_another_shows_ones_own_rows",
        *NO_WALL,
    ),
    attempt(
        "forge a cursor",
        "portal.api.pages:Pages.decode_cursor",
        "api/test_calls.py::test_answers_garbage_for_a_cursor",
        Cut(
            PAGES,
            "            and not str(cursor.position).isdecimal()\n",
            "            and False\n",
        ),
    ),
    attempt(
        "ask a table without being in a tenant",
        "tenants.migration_ops:TenantTable",
        CASES + "test_without_a_tenant_every_table_is_empty",
        NO_POLICY,
    ),
    attempt(
        "find a table whose policy lets everybody through",
        "tenants.migration_ops:TenantTable",
        "architecture/test_tenancy.py::test_no_policy_lets_everybody_through",
        NO_POLICY,
    ),
    attempt(
        "step around the wall as the owner of a table",
        "tenants.checks:walled",
        "architecture/test_tenancy.py::test_every_tenant_table_stands_behind_the_wall",
        Cut(OPS, '            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",\n'),
    ),
    attempt(
        "point at another tenant's row",
        "tenants.migration_ops:TenantForeignKey",
        "tenants/test_wall.py::test_refuses_a_row_that_points_into_another_tenant",
        Cut(OPS, "FOREIGN KEY (organization_id, {column}) ", "FOREIGN KEY ({column}) "),
        Cut(
            OPS,
            "REFERENCES {parent} (organization_id, id) DEFERRABLE",
            "REFERENCES {parent} (id) DEFERRABLE",
        ),
    ),
    attempt(
        "find the last one's tenant on a pooled connection",
        "tenants.rls:_set",
        CASES + "test_a_connection_that_goes_back_remembers_no_tenant",
        Cut(
            "tenants/rls.py",
            "set_config('{name}', %s, true)\" for name in _NAMES), values",
            "set_config('{name}', %s, false)\" for name in _NAMES), values",
        ),
    ),
    attempt(
        "write into another tenant by a bulk operation",
        "tenants.migration_ops:TenantTable",
        CASES + "test_bulk_operations_reach_no_other_tenant",
        NO_POLICY,
    ),
    attempt(
        "read or open somebody else's notice",
        "tenants.inbox:of",
        "web/test_notices.py::test_is_nobody_elses",
        Cut(
            "tenants/inbox.py",
            '    return Notice.objects.filter(shown, user=user).select_related("organization")\n',
            '    return Notice.objects.all().select_related("organization")\n',
        ),
        Cut(
            "tenants/actors.py",
            "return rls.tenant(actor.organization.pk, user_id=actor.user.pk if actor.user else None)",
            'return rls.everyone(because="the wall is taken away")',
        ),
        Cut(
            "tenants/actors.py",
            "            return rls.user(request.user.pk)\n",
            '            return rls.everyone(because="the wall is taken away")\n',
        ),
        Cut(
            "tenants/rls.py",
            '    with _scope("", str(user_id)):\n',
            '    with everyone(because="the wall is taken away"):\n',
        ),
    ),
    attempt(
        "choose rows by names that no list reads: ?ordering=password",
        "portal.api.pages:listed",
        "api/test_keys.py::test_refuses_parameters_that_nobody_reads",
        Cut(
            PAGES,
            "    if unknown := sorted(set(request.query_params) - known):\n",
            "    if unknown := []:\n",
        ),
    ),
    attempt(
        "ask for a billion rows",
        "portal.api.pages:Pages",
        "api/test_calls.py::test_caps_the_limit_of_a_page",
        Cut(PAGES, "    max_page_size = 200\n", "    max_page_size = None\n"),
    ),
    attempt(
        "overwrite what a colleague changed meanwhile",
        "portal.api.versions:require_current",
        "api/test_keys.py::test_changes_nothing_that_was_changed_meanwhile",
        Cut(
            "portal/api/versions.py",
            '    if tag_of(body) not in {one.strip() for one in asked.split(",")}:\n',
            "    if False:\n",
        ),
    ),
    attempt(
        "order something else under a key that was used before",
        "portal.deployments.actions.orders:before",
        "api/test_calls.py::test_refuses_the_same_key_for_another_order",
        Cut(
            "portal/deployments/actions/orders.py",
            "    if found is not None and "
            "(found.request_digest != digest or not by.sees(found.project)):\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "open a page that one's role does not have",
        "portal.web.doors:page_for",
        "web/test_permissions.py::test_shows_each_person_the_pages_of_the_table",
        Cut("portal/web/doors.py", "            actor_of(request).require(verb)\n"),
    ),
]
