"""Models that customers bring: other addresses, other files, other people's."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

ORIGINS = "portal/catalog/origins.py"
ADMITTING = "portal/catalog/admitting.py"
FETCHER = "portal/mdc/fetcher.py"

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
            "if not private and not is_literal(host) and not all(map(is_public, addresses)):",
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
        "portal.mdc.arriving:Arrival",
        "mdc/test_fetched.py::test_keeps_nothing_else",
        Cut(
            "portal/mdc/arriving.py",
            'if f"sha256:{self._sums.hexdigest()}" != self._digest:',
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
    attempt(
        "have a pod load other weights than were registered",
        "portal.mdc.fetcher:bring",
        "mdc/test_fetcher.py::test_says_that_the_weights_are_others_than_the_wish_names",
        Cut(
            FETCHER,
            'if digest_of(str(work / next(iter(files)) if form == "gguf" else work)) != wish.weights:',
            "if False:",
        ),
    ),
    attempt(
        "have a pod follow another manifest than the one that was checked",
        "portal.mdc.fetcher:bring",
        "mdc/test_fetcher.py::test_believes_no_other_manifest",
        Cut(FETCHER, 'if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:', "if False:"),
    ),
    attempt(
        "write into a pod outside of the model's folder",
        "portal.mdc.fetcher:bring",
        "mdc/test_fetcher.py::test_writes_nothing_outside_of_its_folder",
        Cut(
            FETCHER,
            'if not parts or any(part.startswith((".", "/")) for part in parts) or path == name:',
            "if False:",
        ),
    ),
    attempt(
        "have a pod load a file of the model that lay there before",
        "portal.mdc.fetcher:bring",
        "mdc/test_fetcher.py::test_never_mixes_two_models",
        Cut(FETCHER, "    _forget_others(work, files)\n", ""),
    ),
    attempt(
        "lead a pod into a private network by a public name",
        "portal.mdc.fetcher:Place",
        "mdc/test_fetcher.py::test_enters_a_private_network_only_where_that_was_said",
        Cut(
            FETCHER,
            "if not (self.private or is_literal(self.host) or all(map(is_public, addresses))):",
            "if False:",
        ),
    ),
    attempt(
        "fill a pod's volume with a file without an end",
        "portal.mdc.arriving:Arrival",
        "mdc/test_fetcher.py::test_ends_with_a_code_and_a_sentence_and_leaves_nothing_half",
        Cut("portal/mdc/arriving.py", "if self.size > self._most:", "if False:"),
    ),
    attempt(
        "write into the weights from the server that loads them",
        "portal.fleet.drivers.kubernetes.own_weights:mount",
        "fleet/test_own_weights.py::test_the_server_loads_what_was_fetched_and_cannot_write_there",
        Cut(
            "portal/fleet/drivers/kubernetes/own_weights.py",
            '"mountPath": MOUNT, "readOnly": True}',
            '"mountPath": MOUNT, "readOnly": False}',
        ),
    ),
]
