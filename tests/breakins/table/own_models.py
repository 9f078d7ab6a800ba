"""Models that customers bring: other addresses, other files, other people's."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

ORIGINS = "portal/catalog/origins.py"
ADMITTING = "portal/catalog/admitting.py"

ROWS = [
    attempt(
        "have a worker ask a place that the operator did not name",
        "portal.catalog.origins:of",
        "catalog/test_origins.py::test_allows_nothing_but_plain_files_at_named_places",
        Cut(ORIGINS, "if origin.base == base:", "if origin:"),
    ),
    attempt(
        "climb out of a folder, or add a question to the address",
        "portal.catalog.origins:of",
        "catalog/test_origins.py::test_allows_nothing_but_plain_files_at_named_places",
        Cut(
            ORIGINS,
            'if not _PATH.fullmatch(location[len(base) :]) or ".." in location:',
            "if False:",
        ),
    ),
    attempt(
        "lead a worker elsewhere by a redirect",
        "portal.catalog.origins:fetch",
        "catalog/test_origins.py::test_ends_every_call",
        Cut(ORIGINS, "follow_redirects=False", "follow_redirects=True"),
    ),
    attempt(
        "lead a worker into a private network by a public name",
        "portal.catalog.origins:fetch",
        "catalog/test_origins.py::test_asks_no_private_address_behind_a_public_name",
        Cut(
            ORIGINS,
            "if not private and not _is_literal(host) and not all(map(outside.is_public, addresses)):",
            "if False:",
        ),
    ),
    attempt(
        "have a worker read a file without an end",
        "portal.catalog.origins:fetch",
        "catalog/test_origins.py::test_ends_every_call",
        Cut(ORIGINS, "if len(raw) > most:", "if False:"),
    ),
    attempt(
        "put another manifest under a registered digest",
        "portal.catalog.admitting:check",
        "deployments/test_own_models.py::test_checks_again_what_was_changed_at_its_origin",
        Cut(ADMITTING, "if manifest.digest_of(raw) != one.digest:", "if False:"),
    ),
    attempt(
        "name a file outside of the manifest's folder",
        "portal.catalog.manifest:read",
        "catalog/test_manifest.py::test_names_the_field_that_is_wrong",
        Cut(
            "portal/catalog/manifest.py",
            'if not _PATH.fullmatch(path) or ".." in path:',
            "if False:",
        ),
    ),
    attempt(
        "run what is built in another way than the base that it names",
        "portal.catalog.admitting:check",
        "deployments/test_own_models.py::"
        "test_refuses_another_architecture_and_names_the_difference",
        Cut(
            ADMITTING,
            "if other := manifest.differences(found.config, base.config):",
            "if other := list[tuple[str, str, str]]():",
        ),
    ),
    attempt(
        "have a dead worker's answer heard after another has taken over",
        "portal.catalog.admitting:move",
        "deployments/test_own_models.py::test_another_worker_takes_over_when_one_has_died",
        Cut(ADMITTING, "rows = rows.filter(lease_token=token)", "pass"),
        Cut(
            ADMITTING,
            "rows = OwnModel.objects.filter(pk=one.pk, state=one.state)",
            "rows = OwnModel.objects.filter(pk=one.pk)",
        ),
        Cut(
            "portal/catalog/migrations/0002_baseline_wall.py",
            "IF NEW.state <> OLD.state AND",
            "IF false AND",
        ),
    ),
    attempt(
        "order another organization's own model by its id",
        "portal.deployments.runnable:find",
        "deployments/test_own_models.py::test_cannot_be_ordered",
        Cut(
            "portal/deployments/runnable.py",
            "(organization=organization, state=OwnModelState.ADMITTED)\n    if lock:",
            "(state=OwnModelState.ADMITTED)\n    if lock:",
        ),
        Cut(
            "portal/catalog/migrations/0002_baseline_wall.py",
            'TenantTable("catalog_ownmodel"),',
        ),
    ),
    attempt(
        "look at another organization's own models",
        "tenants.migration_ops:TenantTable",
        "deployments/test_own_models.py::test_another_organization_sees_nothing",
        Cut(
            "portal/catalog/migrations/0002_baseline_wall.py",
            'TenantTable("catalog_ownmodel"),',
        ),
    ),
    attempt(
        "have a site serve other weights than were registered",
        "portal.mdc.fetched:Fetched",
        "mdc/test_fetched.py::test_keeps_nothing_else",
        Cut(
            "portal/mdc/fetched.py",
            'if f"sha256:{sums.hexdigest()}" != digest:',
            "if False:",
        ),
    ),
    attempt(
        "withdraw a model from under a running endpoint",
        "portal.deployments.actions.own_models:withdraw",
        "deployments/test_own_models.py::test_stays_while_something_uses_it",
        Cut(
            "portal/deployments/actions/own_models.py",
            "if using := _using(own):",
            "if using := list[str]():",
        ),
    ),
]
