"""Migration operations that build the wall between tenants. Used by migrations only.

They read no models, so that a migration keeps its meaning when the code moves on.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.special import RunSQL

# The setting is asked once a statement (an InitPlan): not at each row, nor tried out by planning.
_MINE = "organization_id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)"
_SYSTEM = "dure_system"  # the role of platform work; `tenants.rls.everyone` takes it


class TenantTable(RunSQL):
    """Force row-level security: rows of the organization set for the transaction, or none.

    ``also_readable`` is one more SQL condition under which rows may be read, not written.
    """

    def __init__(self, table: str, *, mine: str = _MINE, also_readable: str = "") -> None:
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


class SystemRole(RunSQL):
    """Tables of before the system role: give it its policy, and the programs' role no way around.

    Does nothing new where ``TenantTable`` has made the same already.
    """

    def __init__(self, *tables: str, mine: str = _MINE) -> None:
        super().__init__(
            [
                statement
                for table in tables
                for statement in (
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {_SYSTEM}",
                    f"DROP POLICY IF EXISTS system ON {table}",
                    f"CREATE POLICY system ON {table} TO {_SYSTEM} USING (true) WITH CHECK (true)",
                    f"ALTER POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
                )
            ],
            RunSQL.noop,
        )


class SettingsOnce(RunSQL):
    """Policies of before: a setting is asked once a statement, as ``TenantTable`` does it now.

    ``x = f(setting)`` becomes ``x = (SELECT f(setting))`` in every policy that there is; what is
    let through stays the same.
    """

    _BARE = (
        r"(?<!SELECT )\(NULLIF\(current_setting\('app\.(org|user)'::text, true\), ''::text\)\)"
        r"::bigint"
    )

    def __init__(self) -> None:
        once = f"regexp_replace(p.{{0}}, $re${self._BARE}$re$, '(SELECT \\&)', 'g')"
        alter = (
            "IF p.{0} ~ 'current_setting' THEN EXECUTE format('ALTER POLICY %I ON %I {1} (%s)', "
            f"p.policyname, p.tablename, {once}); END IF; "
        )
        walk = (
            "DO $do$ DECLARE p record; BEGIN "  # noqa: S608 - texts of our own policies
            "FOR p IN SELECT * FROM pg_policies WHERE schemaname = 'public' LOOP "
            f"{alter.format('qual', 'USING')}{alter.format('with_check', 'WITH CHECK')}"
            "END LOOP; END $do$"
        )
        super().__init__(walk, RunSQL.noop)


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
                f"GRANT CREATE ON SCHEMA public TO {_SYSTEM}",  # a function's owner needs it
                f"ALTER FUNCTION {signature} OWNER TO {_SYSTEM}",
                f"REVOKE CREATE ON SCHEMA public FROM {_SYSTEM}",
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

    ``unless`` is an SQL condition on OLD under which a row may still be changed or removed.
    """

    def __init__(self, table: str, *, unless: str = "") -> None:
        guard = f"WHEN (NOT ({unless}))" if unless else ""
        super().__init__(
            [
                f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{table} is append-only' "
                "USING ERRCODE = 'restrict_violation'; END $$",
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW {guard} EXECUTE FUNCTION {table}_append_only()",
                f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
            ],
            [
                f"DROP TRIGGER append_only_truncate ON {table}",
                f"DROP TRIGGER append_only ON {table}",
                f"DROP FUNCTION {table}_append_only()",
            ],
        )


class ErasableName(RunSQL):
    """In rows that may not change, ``columns`` copy people's names: each may become
    ``former member usr_…`` when the person's account ends, and nothing else changes.

    ``unless`` is that of ``AppendOnly``. ``trigger`` and ``function`` name what keeps the rows,
    ``others`` what it refuses besides UPDATE.
    """

    def __init__(
        self,
        table: str,
        *columns: str,
        unless: str = "",
        trigger: str = "append_only",
        function: str = "",
        others: str = "DELETE",
    ) -> None:
        function = function or f"{table}_append_only"
        listed = ", ".join(f"'{column}'" for column in columns)
        only_names = " AND ".join(
            [
                f"to_jsonb(NEW) - ARRAY[{listed}] = to_jsonb(OLD) - ARRAY[{listed}]",
                *(
                    f"(NEW.{column} = OLD.{column} OR NEW.{column} LIKE 'former member usr\\_%')"
                    for column in columns
                ),
            ]
        )
        may = f"({only_names})" + (f" OR ({unless})" if unless else "")
        guard = f"WHEN (NOT ({unless}))" if unless else ""
        refuse = f"FOR EACH ROW {{when}} EXECUTE FUNCTION {function}()"
        super().__init__(
            [
                f"DROP TRIGGER {trigger} ON {table}",
                f"CREATE TRIGGER {trigger} BEFORE {others} ON {table} {refuse.format(when=guard)}",
                f"CREATE TRIGGER {trigger}_update BEFORE UPDATE ON {table} "
                + refuse.format(when=f"WHEN (NOT ({may}))"),
            ],
            [
                f"DROP TRIGGER {trigger}_update ON {table}",
                f"DROP TRIGGER {trigger} ON {table}",
                f"CREATE TRIGGER {trigger} BEFORE {others} OR UPDATE ON {table} "
                + refuse.format(when=guard),
            ],
        )
