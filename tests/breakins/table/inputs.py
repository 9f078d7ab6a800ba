"""What is typed, sent, uploaded; what comes back with it."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt, setting

REQUESTS, ANSWERS = "breakins/test_requests.py::", "breakins/test_answers.py::"
UPLOADS, FRAMING = "tenants/uploads.py", "portal/gateway/framing.py"

ROWS = [
    attempt(
        "hide characters in a name: zero width, right to left, NUL",
        "tenants.names:normalized",
        "web/test_bad_input.py::test_names_are_kept_whole_or_refused",
        Cut(
            "tenants/names.py",
            "    if any(unicodedata.category(character) in _HIDDEN for character in name):\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "imitate another's name with letters that look alike",
        "tenants.names:_is_mixed",
        REQUESTS + "test_case_80_a_name_that_imitates_another_is_refused",
        Cut(
            "tenants/names.py",
            "    if any(_is_mixed(word) for word in name.split()):\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "put HTML into names (all names, all pages)",
        "django.utils.html:conditional_escape",
        REQUESTS + "test_shows_no_name_as_markup_on_any_page",
        Cut("templates/keys/index.html", "{{ key.name }}</a>", "{{ key.name|safe }}</a>"),
    ),
    attempt(
        "put a formula into an export",
        "portal.lib.spreadsheet:cell",
        "web/test_bad_input.py::test_case_61_an_export_has_no_formula",
        Cut(
            "portal/lib/spreadsheet.py",
            """        return f"'{value}"\n""",
            "        return value\n",
        ),
    ),
    attempt(
        "put a line break into a mail's subject by an organization's name",
        "tenants.mails:_one_line",
        REQUESTS + "test_a_name_brings_no_line_into_a_subject",
        Cut(
            "tenants/mails.py",
            '    if any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text):\n',
            "    if False:\n",
        ),
    ),
    attempt(
        "send a mail to a second address that rides along",
        "tenants.mails:is_address",
        "notices/test_mails.py::test_refuses_what_is_no_single_address",
        Cut(
            "tenants/mails.py",
            "    return bool(parts.username and parts.domain) and parseaddr(text)[1] == text\n",
            "    return True\n",
        ),
        Cut(
            "tenants/mails.py",
            "    except (ValueError, IndexError, HeaderParseError):\n        return False\n",
            "    except (ValueError, IndexError, HeaderParseError):\n        return True\n",
        ),
        Cut(
            "tenants/mails.py",
            '    if len(text) > _LONGEST_ADDRESS or any(unicodedata.category(one) == "Cc" for one in text):\n',
            "    if False:\n",
        ),
    ),
    attempt(
        "make mails point to another host",
        "portal.settings:ALLOWED_HOSTS",
        REQUESTS + "test_a_forged_host_is_refused_and_sends_nothing",
        setting(
            'ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_origin.hostname or "127.0.0.1", "localhost"])',
            'ALLOWED_HOSTS = ["*"]',
        ),
    ),
    attempt(
        "say one thing twice in a body (duplicate names)",
        "portal.api.bodies:_once",
        REQUESTS + "test_reads_only_json_that_says_one_thing",
        Cut("portal/api/bodies.py", "    if len(found) != len(pairs):\n", "    if False:\n"),
    ),
    attempt(
        "exhaust the reader: deep JSON, a number of 5,000 digits",
        "portal.api.bodies:Json.parse",
        REQUESTS + "test_reads_only_json_that_says_one_thing",
        Cut(
            "portal/api/bodies.py",
            "        except RecursionError as error:\n",
            "        except ZeroDivisionError as error:\n",
        ),
    ),
    attempt(
        "send a body without end",
        "portal.settings:DATA_UPLOAD_MAX_MEMORY_SIZE",
        REQUESTS + "test_a_body_beyond_the_limit_is_not_read",
        setting(
            "DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576", "DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000_000"
        ),
    ),
    attempt(
        "send a form of thousands of fields",
        "portal.settings:DATA_UPLOAD_MAX_NUMBER_FIELDS",
        REQUESTS + "test_a_form_with_too_many_fields_is_not_read",
        setting("DATA_UPLOAD_MAX_NUMBER_FIELDS = 200", "DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000"),
    ),
    attempt(
        "do a deed by a link (GET) or another verb",
        "django.views.decorators.http:require_POST",
        "web/test_permissions.py::test_refuses_other_methods",
        Cut(
            "portal/web/keys.py",
            '@require_POST\n@doors.page_for("keys.change")\ndef revoke(',
            '@doors.page_for("keys.change")\ndef revoke(',
        ),
    ),
    attempt(
        "upload a program in a PDF's clothes",
        "tenants.uploads:_document",
        "tenants/test_uploads.py::test_refuses_everything_else",
        Cut(
            UPLOADS,
            "    found = _active_parts(reader)\n    if found or any(",
            "    if False and any(",
        ),
    ),
    attempt(
        "fill the memory with a picture of a billion pixels",
        "tenants.uploads:_picture",
        "tenants/test_uploads.py::test_refuses_a_picture_that_would_fill_the_memory",
        Cut(
            UPLOADS,
            "    if not small:\n        raise BadFile(",
            "    if False:\n        raise BadFile(",
        ),
    ),
    attempt(
        "leave a folder by an upload's name (../)",
        "tenants.uploads:safe_name",
        "tenants/test_uploads.py::test_names_the_file_harmlessly",
        Cut(UPLOADS, 'name.replace("\\\\", "/").rpartition("/")[2]', "name"),
    ),
    attempt(
        "run an uploaded file in the portal's origin",
        "tenants.uploads:response",
        "tenants/test_uploads.py::test_sends_it_back_as_an_attachment_that_runs_nothing",
        Cut(
            UPLOADS,
            "content_disposition_header(True, stored.name) or",
            "content_disposition_header(False, stored.name) or",
        ),
    ),
    attempt(
        "make a browser guess another type (sniffing)",
        "django.middleware.security:SecurityMiddleware",
        ANSWERS + "test_every_answer_has_the_header",
        setting(
            'X_FRAME_OPTIONS = "DENY"\n',
            'X_FRAME_OPTIONS = "DENY"\nSECURE_CONTENT_TYPE_NOSNIFF = False\n',
        ),
    ),
    attempt(
        "read a private page from a cache on the way or by the back button",
        "portal.web.private:NoStore",
        ANSWERS + "test_private_pages_are_kept_by_nobody",
        setting('    "portal.web.private.NoStore",\n', ""),
    ),
    attempt(
        "read cookies by a script",
        "portal.settings:CSRF_COOKIE_HTTPONLY",
        ANSWERS + "test_cookies_are_hidden_from_scripts_and_other_sites",
        setting("CSRF_COOKIE_HTTPONLY = True", "CSRF_COOKIE_HTTPONLY = False"),
    ),
    attempt(
        "catch a cookie on an unencrypted line or from a sister host",
        "portal.settings:SESSION_COOKIE_SECURE",
        ANSWERS + "test_cookies_are_for_this_host_by_https_and_no_scripts",
        setting('_secure = _origin.scheme == "https"', "_secure = False"),
    ),
    attempt(
        "put the portal into a frame, run a script of one's own in it",
        "portal.settings:SECURE_CSP",
        ANSWERS + "test_no_page_runs_scripts_of_others_or_is_framed",
        setting(
            '    "script-src": [CSP.SELF],', '    "script-src": [CSP.SELF, CSP.UNSAFE_INLINE],'
        ),
    ),
    attempt(
        "smuggle a second request past the gateway (two lengths)",
        "portal.gateway.framing:doubt",
        "gateway/test_http.py::test_refuses_what_is_not_beyond_doubt",
        Cut(
            FRAMING,
            '        length is not None or request.old or encoding.strip().lower() != b"chunked"\n',
            "        False\n",
        ),
    ),
    attempt(
        "send two keys to the gateway",
        "portal.gateway.admit:key_of",
        "gateway/test_http.py::test_refuses_two_keys",
        Cut(
            "portal/gateway/request.py",
            "        return None if name in self.repeated else self.headers.get(name)\n",
            '        return (self.headers.get(name) or b"").split(b", ")[0] or None\n',
        ),
    ),
]
