"""The repository tests itself: names that no compiler checks, and what we ship of others."""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import time_machine
from django.apps import apps
from django.db import models
from django.template.loader import get_template
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils.module_loading import import_string

from portal.celery import app as celery
from portal.lib.periods import SEOUL
from tenants.checks import tenant_models

ROOT = Path(__file__).resolve().parents[2]
CODE = ("portal", "tenants", "billing")
TEMPLATES = ROOT / "templates"

ALL_TABLES = "every table of the app, so that Django builds its models once"

# Longer than 400 lines, and why.
LONG = {
    "billing/migrations/0001_baseline.py": ALL_TABLES,
    "portal/catalog/migrations/0001_baseline.py": ALL_TABLES,
    "portal/deployments/migrations/0001_baseline.py": ALL_TABLES,
    "tenants/migrations/0001_baseline.py": ALL_TABLES,
    "portal/admission/functions.lua": "one library: Valkey loads and replaces it whole",
    "portal/api/urls.py": "the only place where operations are mounted",
    "portal/urls.py": "the only place where pages are mounted",
    "portal/settings.py": "everything from the environment, in one file",
    "tests/admission/test_calls.py": "one table of calls against one protocol",
    "tests/billing/test_fiscal.py": "one noun's promises, from plan to close",
    "tests/billing/test_fiscal_book.py": "one table of rules, and the properties over them",
    "tests/billing/test_fiscal_use.py": "one noun's promises, from order to the turn of the year",
    "tests/billing/test_invoices.py": "one noun's promises, from draft to document",
}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


@cache
def texts() -> set[str]:
    """Every string constant of the product's code."""
    return {
        node.value
        for _, tree in sources(*CODE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


# ─── tasks ─────────────────────────────────────────────────────────────────────────────────────


def woken() -> list[tuple[str, ast.expr]]:
    """(where, first argument) of each call of ``wake``."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0])
        for path, tree in sources(*CODE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.args
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "wake")
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "wake")
        )
    ]


def test_wakes_only_tasks_that_exist() -> None:
    celery.loader.import_default_modules()
    calls = woken()

    assert calls
    for where, argument in calls:
        assert isinstance(argument, ast.Constant), f"{where}: name the task as a text"
        assert argument.value in celery.tasks, f"{where}: no task {argument.value}"


def test_schedules_only_tasks_that_exist() -> None:
    celery.loader.import_default_modules()

    assert celery.conf.beat_schedule
    for name, entry in celery.conf.beat_schedule.items():
        assert entry["task"] in celery.tasks, name


@pytest.mark.parametrize(("hour", "announces"), [(3, False), (10, True), (15, True), (16, False)])
def test_everything_is_due_when_beat_begins(hour: int, announces: bool) -> None:
    """It keeps no file: a restart each half an hour must not put off what is done each hour, nor
    one at ten past nine what is done then."""
    with time_machine.travel(datetime(2026, 11, 16, hour, tzinfo=SEOUL), tick=False):
        due = _due_at_once()

    assert {"sweep-sites", "remind-of-invoices", "accrue-use"} <= due
    assert ("announce-keys" in due) is announces


def _due_at_once() -> set[str]:
    beat = import_string(celery.conf.beat_scheduler.replace(":", "."))(celery, lazy=True)
    beat.setup_schedule()

    return {name for name, entry in beat.schedule.items() if entry.is_due().is_due}


# ─── what others wrote ─────────────────────────────────────────────────────────────────────────


def vendored() -> dict[Path, str]:
    folder = ROOT / "static/vendor"
    listed = tomllib.loads((folder / "VENDOR.toml").read_text())["file"]
    return {(folder / one["path"]).resolve(): one["sha256"] for one in listed}


def test_ships_vendored_files_as_they_came() -> None:
    for path, expected in vendored().items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == expected, path


def test_lists_every_vendored_file() -> None:
    found = {
        path
        for pattern in ("static/vendor/**/*", "static/dure/fonts/*")
        for path in ROOT.glob(pattern)
        if path.is_file() and not path.name.startswith(("LICENSE", "VENDOR", "OFL"))
    }

    assert found == set(vendored())


# ─── templates ─────────────────────────────────────────────────────────────────────────────────

PAGES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.*"))
DJANGOS_OWN = {
    "400.html",
    "403.html",
    "404.html",
    "429.html",
    "500.html",
}  # found by their names, 429 by allauth


def read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def replaces_anothers(name: str) -> bool:
    """Whether a template stands in for one of allauth or Django."""
    places = (
        ("allauth", "templates"),
        ("django", "forms/templates"),
        ("django", "contrib/admin/templates"),
    )
    for package, folder in places:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        if (Path(next(iter(spec.submodule_search_locations))) / folder / name).exists():
            return True
    return False


@pytest.mark.parametrize("name", [name for name in PAGES if not name.endswith(".typ")])
def test_compiles_every_template(name: str) -> None:
    assert get_template(name)


def test_uses_every_template() -> None:
    named = {text.partition("#")[0] for text in texts()}
    named |= {text.removeprefix("templates/") for text in named}
    for name in PAGES:
        named |= set(re.findall(r"{%\s*(?:extends|include)\s+[\"']([^\"']+)", read(name)))

    # a mail is named once, without its ends: ``rendered("notice", …)``
    ends = r"(?:_subject\.txt|\.txt|\.html)$"
    named |= {name for name in PAGES if re.sub(ends, "", name).removeprefix("emails/") in texts()}

    unused = [
        name for name in PAGES if name not in named | DJANGOS_OWN and not replaces_anothers(name)
    ]
    assert unused == []


def test_names_only_fragments_that_exist() -> None:
    """``page.html#part`` in a view, ``{% partialdef part %}`` in the page."""
    for text in texts():
        name, mark, part = text.partition("#")
        if mark and name in PAGES:
            assert re.search(rf"{{%\s*partialdef\s+{part}\b", read(name)), text


FORBIDDEN = {
    "inline style": r"\sstyle\s*=|<style\b",
    "inline script": r"<script\b(?![^>]*\bsrc=)",
    "event attribute": r"\son[a-z]+\s*=",
    "hx-on": r"hx-on",
    "js: value": r"[\"']\s*js:|javascript:",
    "unescaped text": r"\|\s*safe\b|{%\s*autoescape\s+off",
}


ALLOWED = {"django/forms/field.html: |safe": "help texts and errors are our own, as Django does"}


def markup(name: str, what: str) -> str:
    """A page without its template tags, where only what the browser sees is asked for."""
    text = read(name)
    return text if what == "unescaped text" else re.sub(r"{%.*?%}|{{.*?}}", "…", text, flags=re.S)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_has_nothing_that_the_content_policy_forbids(what: str) -> None:
    found = [
        f"{name}: {match.group()}"
        for name in PAGES
        if name.endswith(".html")
        for match in re.finditer(FORBIDDEN[what], markup(name, what))
    ]

    assert [one for one in found if one not in ALLOWED] == []


def test_says_from_where_a_trigger_comes_in_a_way_that_is_understood() -> None:
    """``from:closest details`` is read as ``from:closest``, and the request is never made."""
    unquoted = re.compile(r"from:(closest|find|findAll|next|previous)\s")

    assert [
        str(path) for path in TEMPLATES.rglob("*.html") if unquoted.search(path.read_text())
    ] == []


def test_loads_nothing_from_elsewhere() -> None:
    for name in PAGES:
        if name.endswith(".html"):
            assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", read(name)), name


# ─── addresses ─────────────────────────────────────────────────────────────────────────────────

FOR_MACHINES = {"healthz", "readyz", "gallery"}


def known_urls(found: list[URLPattern | URLResolver] | None = None, space: str = "") -> set[str]:
    names: set[str] = set()
    for one in get_resolver().url_patterns if found is None else found:
        if isinstance(one, URLPattern):
            names |= {space + one.name} if one.name else set()
        else:
            inside = f"{space}{one.namespace}:" if one.namespace else space
            names |= known_urls(one.url_patterns, inside)
    return names


def linked() -> set[str]:
    return {name for page in PAGES for name in re.findall(r"{%\s*url\s+[\"']([^\"']+)", read(page))}


def test_links_only_to_addresses_that_exist() -> None:
    assert linked() <= known_urls()


def test_reaches_every_page_from_somewhere() -> None:
    from portal.urls import urlpatterns

    ours = {one.name for one in urlpatterns if isinstance(one, URLPattern)}
    unreached = ours - linked() - texts() - FOR_MACHINES
    named_only_in_urls = {
        node.value
        for path, tree in sources(*CODE)
        if path.name != "urls.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert unreached == set()
    assert ours - linked() - named_only_in_urls - FOR_MACHINES == set()


def test_reverses_plain_addresses() -> None:
    for name in known_urls():
        try:
            assert reverse(name).startswith("/")
        except NoReverseMatch:
            continue  # it takes arguments


# ─── layers that import-linter cannot see ──────────────────────────────────────────────────────

LAYERS = ["tenants", "catalog", "usage", "billing", "fleet", "deployments", "jobs"]
SAME = {("billing", "fleet"), ("fleet", "billing")}


def test_points_foreign_keys_down() -> None:
    for model in apps.get_models():
        own = model._meta.app_label
        if own not in LAYERS:
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey):
                target = field.related_model._meta.app_label  # type: ignore[union-attr]
                if target in LAYERS:
                    assert LAYERS.index(target) <= LAYERS.index(own), field
                    assert (own, target) not in SAME, field


BY_NAME = {  # what Django can only write down as a reference
    "portal/fleet/migrations/0001_baseline.py": "portal.fleet.models",  # a column's default
    "portal/usage/migrations/0001_baseline.py": "portal.usage.models",  # a constraint's function
}


def test_imports_no_models_in_migrations() -> None:
    """A migration keeps its meaning when the code moves on."""
    for path, tree in sources(*CODE):
        if path.parent.name != "migrations":
            continue
        place = str(path.relative_to(ROOT))
        for node in ast.walk(tree):
            found = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in found:
                ours = name.split(".")[0] in CODE
                known = {"tenants.migration_ops", BY_NAME.get(place)}
                assert not ours or name in known, f"{place}: {name}"


# Doors that ask a tenant's table without ``visible_to``, and why they may.
WITHOUT_VISIBLE_TO = {
    ("portal/web/context.py", "Membership"): "a person's own memberships, in rls.user",
    ("portal/api/customers.py", "OperatorNote"): "the operator's staff, of a customer they found",
    ("portal/web/fleet.py", "Placement"): "the operator sees all (operator.read)",
    ("portal/web/operator.py", "Placement"): "the operator sees all (operator.read)",
    ("portal/web/operator.py", "LedgerEntry"): "the operator sees all (operator.read)",
    ("portal/web/operator.py", "Organization"): "the operator sees all (operator.read)",
    ("portal/web/operator.py", "OrphanedEvent"): "the operator sees all (operator.read)",
}


def test_asks_first_what_the_actor_may_see() -> None:
    tenants = {model.__name__ for model in tenant_models()}
    found = set()
    for path, tree in sources("portal/web", "portal/api"):
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Attribute)
                and node.value.attr == "objects"
                and isinstance(node.value.value, ast.Name)
                and node.value.value.id in tenants
                and node.attr not in {"visible_to", "none"}
            ):
                found.add((str(path.relative_to(ROOT)), node.value.value.id))

    assert found == set(WITHOUT_VISIBLE_TO)


# ─── size ──────────────────────────────────────────────────────────────────────────────────────


def test_says_why_a_module_is_long() -> None:
    folders = (*CODE, "deploy", "tests", "bench")
    long = {
        str(path.relative_to(ROOT))
        for folder in folders
        for pattern in ("*.py", "*.lua")
        for path in (ROOT / folder).rglob(pattern)
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    }

    assert long == set(LONG)
