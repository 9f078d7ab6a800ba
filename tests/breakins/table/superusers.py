"""Django's admin: the reading room."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

ROOM, RECORDS = "superusers/test_reading_room.py::", "superusers/test_records.py::"
SOURCE = "tenants/reading_room.py"

ROWS = [
    attempt(
        "come in with a password only, or by an app that was not used in this session",
        "tenants.policies:proved_second_factor",
        ROOM + "test_is_not_there_for_anybody_else",
        Cut(SOURCE, "            and policies.proved_second_factor(request, actor.organization)\n"),
    ),
    attempt(
        "come in as staff who are no superusers",
        "tenants.reading_room:ReadingRoom.has_permission",
        ROOM + "test_is_not_there_for_anybody_else",
        Cut(SOURCE, "            and request.user.is_superuser\n"),
    ),
    attempt(
        "come in as a superuser who is none of the operator's staff",
        "tenants.reading_room:ReadingRoom.has_permission",
        ROOM + "test_is_not_there_for_anybody_else",
        Cut(SOURCE, '            and actor.can("operator.read")\n'),
    ),
    attempt(
        "find the room by a redirect or a complaint about a token",
        "tenants.reading_room:ReadingRoom.door",
        ROOM + "test_says_no_more_than_a_wrong_address_does",
        Cut(SOURCE, "no_append_slash(csrf_exempt(guarded))", "guarded"),
    ),
    attempt(
        "change a row by any method",
        "tenants.reading_room:ReadingRoom.door",
        ROOM + "test_changes_nothing_by_any_method",
        Cut(SOURCE, "never_cache(require_safe(view))", "never_cache(view)"),
    ),
    attempt(
        "write by a page of the room that has a mistake",
        "tenants.rls:read_only",
        ROOM + "test_postgresql_itself_refuses_to_write_behind_the_door",
        Cut(
            SOURCE,
            "            with rls.read_only(), rls.everyone(",
            "            with rls.everyone(",
        ),
    ),
    attempt(
        "read password hashes, key hashes, sealed fields",
        "tenants.reading_room:shows",
        RECORDS + "test_shows_every_table_and_record_without_a_secret",
        Cut(
            SOURCE,
            "    if secret := [one for one in names if audit.is_secret(one) and _is_text(model, one)]:\n",
            "    if secret := []:\n",
        ),
        Cut(
            "tenants/admin.py",
            '"public_id email name is_active',
            '"public_id password email name is_active',
        ),
    ),
    attempt(
        "ask for hidden columns by a filter, letter by letter",
        "tenants.reading_room:Reading.lookup_allowed",
        RECORDS + "test_answers_no_question_about_hidden_columns",
        Cut(
            SOURCE,
            '        return lookup == "organization__exact" and "organization" in self.shown\n',
            "        return True\n",
        ),
    ),
    attempt(
        "look at a record without a trace",
        "tenants.reading_room:_leave_trace",
        ROOM + "test_leaves_a_trace_of_each_list_and_record",
        Cut(SOURCE, "            _leave_trace(request)\n"),
    ),
    attempt(
        "find the room where nobody set one up",
        "portal.urls:urlpatterns",
        "superusers/test_mounting.py::test_stands_nowhere_unless_it_is_set",
        Cut("portal/urls.py", "if settings.DURE_ADMIN_PATH:\n", "if True:\n"),
    ),
    attempt(
        "guess where it stands",
        "portal.settings:DURE_ADMIN_PATH",
        "superusers/test_mounting.py::test_refuses_a_path_that_can_be_guessed_or_is_none",
        Cut(
            "portal/settings.py",
            "if DURE_ADMIN_PATH and not re.fullmatch(",
            "if False and not re.fullmatch(",
        ),
    ),
]
