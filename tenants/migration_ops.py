"""Migration operations that build the wall between tenants. Used by migrations only.

They read no models, so that a migration keeps its meaning when the code moves on.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import CreateModel
from django.db.migrations.operations.special import RunSQL

# The setting is asked once a statement (an InitPlan): not at each row, nor tried out by planning.
OURS = "organization_id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)"
_SYSTEM = "dure_system"  # the role of platform work; `tenants.rls.everyone` takes it


class Tables(Operation):
    """Many models in one step, which may point at each other in circles.

    One after the other, each ``CreateModel`` has Django build the classes of all related models
    again; here it builds all once.
    """

    def __init__(self, *models: CreateModel) -> None:
        self.models = models

    def state_forwards(self, app_label: str, state: Any) -> None:
        state.__dict__.pop("apps", None)  # a cached property: built when it is asked for next
        for model in self.models:
            model.state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        for model in self.models:
            model.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        for model in reversed(self.models):
            model.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return "Create the models " + ", ".join(model.name for model in self.models)


class TenantTable(RunSQL):
    """Force row-level security: rows of the organization set for the transaction, or none.

    ``also_readable`` is one more SQL condition under which rows may be read, not written.
    """

    def __init__(self, table: str, *, mine: str = OURS, also_readable: str = "") -> None:
        forward: list[Any] = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
            f"CREATE POLICY system ON {table} TO {_SYSTEM} USING (true) WITH CHECK (true)",
        ]
        backward: list[Any] = [
            f"DROP POLICY system ON {table}",
            f"DROP POLICY tenant ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ]
        if also_readable:
            forward.append(f"CREATE POLICY readable ON {table} FOR SELECT USING ({also_readable})")
            backward.insert(0, f"DROP POLICY readable ON {table}")
        super().__init__(forward, backward)


def run_as_system(function: str) -> list[str]:
    """Let ``function`` look past the wall, whoever calls it or fires its trigger."""
    return [
        f"GRANT CREATE ON SCHEMA public TO {_SYSTEM}",  # a function's owner needs it
        f"ALTER FUNCTION {function} OWNER TO {_SYSTEM}",
        f"REVOKE CREATE ON SCHEMA public FROM {_SYSTEM}",
    ]


class SystemFunction(RunSQL):
    """A narrow function that looks across tenants for one who has a secret: a token, a hash.

    It runs as the system role, whoever calls it; nobody but the programs' role may call it.
    ``arguments`` and ``returns`` are SQL, ``body`` one SQL query.
    """

    def __init__(self, name: str, arguments: str, returns: str, body: str) -> None:
        signature = f"{name}({arguments})"
        super().__init__(
            [
                f"CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE sql STABLE "
                f"SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp "
                f"AS $body$ {body} $body$",
                f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION {signature} TO dure_app, {_SYSTEM}",
                *run_as_system(signature),
            ],
            f"DROP FUNCTION {signature}",
        )


class TenantForeignKey(RunSQL):
    """A foreign key that includes the organization: a row cannot point into another tenant.

    ``parent`` needs a unique constraint on (organization_id, id).
    """

    def __init__(self, table: str, column: str, parent: str) -> None:
        name = f"{table}_{column}_same_org"[:63]
        super().__init__(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column}) "
            f"REFERENCES {parent} (organization_id, id) DEFERRABLE INITIALLY DEFERRED",
            f"ALTER TABLE {table} DROP CONSTRAINT {name}",
        )


class AppendOnly(RunSQL):
    """Rows of ``table`` are never changed or removed: the database itself refuses it.

    ``unless`` is an SQL condition on OLD under which a row may still be changed or removed,
    ``may`` one on OLD and NEW under which it may be changed. ``refuses`` is the statement that
    makes the trigger's function, where that lets something through as well.
    """

    def __init__(self, table: str, *, unless: str = "", may: str = "", refuses: str = "") -> None:
        function = f"{table}_append_only()"
        guard = f"WHEN (NOT ({unless}))" if unless else ""
        changed = f"WHEN (NOT (({may}) OR ({unless})))" if unless else f"WHEN (NOT ({may}))"
        each = (
            [("append_only", "DELETE", guard), ("append_only_update", "UPDATE", changed)]
            if may
            else [("append_only", "UPDATE OR DELETE", guard)]
        )
        super().__init__(
            [
                refuses
                or f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{table} is append-only' "
                "USING ERRCODE = 'restrict_violation'; END $$",
                *(
                    f"CREATE TRIGGER {name} BEFORE {deeds} ON {table} "
                    f"FOR EACH ROW {when} EXECUTE FUNCTION {function}"
                    for name, deeds, when in each
                ),
                f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {function}",
            ],
            [
                f"DROP TRIGGER append_only_truncate ON {table}",
                *(f"DROP TRIGGER {name} ON {table}" for name, _, _ in each),
                f"DROP FUNCTION {function}",
            ],
        )


def erased(*columns: str) -> str:
    """For ``may``: ``columns`` copy people's names; each may become ``former member usr_…`` when
    the person's account ends, and nothing else changes."""
    listed = ", ".join(f"'{column}'" for column in columns)
    return " AND ".join(
        [
            f"to_jsonb(NEW) - ARRAY[{listed}] = to_jsonb(OLD) - ARRAY[{listed}]",
            *(
                f"(NEW.{column} = OLD.{column} OR NEW.{column} LIKE 'former member usr\\_%')"
                for column in columns
            ),
        ]
    )
