"""The tests' own ground: what stands for a run of tests is the same for each, and nobody else's."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from tenants import rls
from tenants.models import Organization, User
from tests.cast import Cast
from tests.standing import STANDING, wanted_by


@pytest.mark.parametrize("turn", [1, 2])
def test_finds_rows_and_objects_as_they_were_made(cast: Cast, turn: int) -> None:
    """What the first turn spoils, the second finds whole."""
    with rls.everyone(because="test"):
        assert Organization.objects.get(pk=cast.firm.pk).name == cast.firm.name == "한빛정밀"
        assert User.objects.count() == 7
        cast.firm.name = "spoilt"
        cast.firm.save()
        cast.nobody.user.delete()
        assert cast.alice.may.organization is cast.firm  # one object, wherever it is held


@pytest.mark.parametrize("turn", [1, 2])
def test_stands_again_after_a_test_that_broke_it(cast: Cast, turn: int) -> None:
    assert User.objects.count() == 7
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_is_the_casts_own_transaction(cast: Cast) -> None:
    assert [layer.name for layer in STANDING.layers] == ["cast_stands"]
    assert len(connection.savepoint_ids) == 1


def test_is_empty_for_a_test_that_wants_no_cast(db: None) -> None:
    with rls.everyone(because="test"):
        assert not Organization.objects.exists()


def test_does_not_stand_beside_a_test_without_a_database() -> None:
    assert STANDING.layers == []


def test_does_not_stand_for_a_test_that_commits(request: pytest.FixtureRequest) -> None:
    item = request.node
    item.fixturenames.append("cast_stands")
    assert wanted_by(item) == ["cast_stands"]

    item.add_marker(pytest.mark.django_db(transaction=True))
    assert wanted_by(item) == []
