"""Whose turn it is: each step in its order, each person once, never who asked while another is
there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.approvals.chain import Chain, NotYourTurn, decide, pool_now
from billing.approvals.matrix import Step
from billing.approvals.seats import Person, Rung

ALICE = Person("alice", "mem_a", "owner")
BOB = Person("bob", "mem_b", "developer", signs=False)
CAROL = Person("carol", "mem_c", "budget_officer")
ERIN = Person("erin", "mem_e", "administrator")
OFFICER, OWNER = Step(("budget_officer",)), Step(("owner",))


def chain(*steps: Step, requester: str = "bob") -> Chain:
    return Chain(steps, requester)


def after(before: Chain, people: list[Person], *users: str) -> Chain:
    """All of them agree, one after the other."""
    for user in users:
        verdict = decide(before, people, user=user, agrees=True)
        before = replace(before, verdicts=(*before.verdicts, verdict))
    return before


def may(of: Chain, people: list[Person]) -> set[str]:
    found = pool_now(of, people)
    return {one.user for one in found.seats} if found else set()


def rung(of: Chain, people: list[Person]) -> Rung | None:
    found = pool_now(of, people)
    return found.rung if found else None


def test_takes_the_steps_in_their_order() -> None:
    people = [ALICE, BOB, CAROL]
    one = chain(OFFICER, OWNER)

    assert may(one, people) == {"carol"}
    one = after(one, people, "carol")
    assert (one.current, may(one, people)) == (1, {"alice"})
    assert after(one, people, "alice").approved


@pytest.mark.parametrize(
    ("step", "people", "user", "rung"),
    [
        (OFFICER, [ALICE, CAROL], "carol", Rung.STEP),
        (Step((), ("mem_e",)), [ALICE, ERIN], "erin", Rung.STEP),
        (OFFICER, [ALICE, BOB], "alice", Rung.OWNER),
        (OWNER, [BOB, ERIN], "erin", Rung.OTHERS),
    ],
)
def test_says_with_what_right_it_was_signed(
    step: Step, people: list[Person], user: str, rung: Rung
) -> None:
    assert decide(chain(step), people, user=user, agrees=True).rung == rung


def test_one_of_two_who_are_needed_leaves_the_other_to_the_step() -> None:
    """Only one more is needed, and is there: it falls to nobody else."""
    second = replace(CAROL, user="cleo", member="mem_c2")
    people = [ALICE, CAROL, second]
    one = after(chain(Step(("budget_officer",), needed=2)), people, "carol")

    assert (rung(one, people), may(one, people)) == (Rung.STEP, {"cleo"})
    found = pool_now(one, people)
    assert found is not None and found.missing == 0


def test_says_how_many_are_missing() -> None:
    one = chain(Step(("owner",), needed=3))

    found = pool_now(one, [ALICE, CAROL])

    assert found is not None
    assert (found.rung, found.missing, len(found.seats)) == (Rung.REQUESTER, 1, 2)


def test_two_seats_take_two_people() -> None:
    """Who could sit on either seat leaves the one to whom has no other; one seat is one voice."""
    officers = chain(Step(("budget_officer",), needed=2))
    both = Person("dan", "mem_d", "budget_officer", for_members=("mem_c",))
    lent = replace(both, role="auditor", signs=False)

    assert rung(officers, [both, CAROL]) == Rung.STEP
    assert rung(officers, [lent, CAROL, ALICE]) == Rung.OWNER
    assert may(officers, [CAROL, ALICE]) == {"carol", "alice"}


def test_who_asked_signs_for_nobody_else() -> None:
    """Even where they have to sign themselves, because others are too few."""
    alice = replace(ALICE, for_members=("mem_c",))
    one = chain(Step(("owner", "budget_officer"), needed=2), requester="alice")

    found = pool_now(one, [alice, CAROL])

    assert found is not None and found.rung == Rung.REQUESTER
    assert {(seat.user, seat.of) for seat in found.seats} == {
        ("alice", "alice"),
        ("carol", "carol"),
    }


def test_signs_with_ones_own_right_before_a_lent_one() -> None:
    lent = replace(CAROL, for_members=("mem_a",))
    either = Step(("owner", "budget_officer"))

    verdict = decide(chain(either), [ALICE, lent], user="carol", agrees=True)

    assert verdict.seat.of == "carol"


def test_a_no_ends_it() -> None:
    people = [ALICE, CAROL]
    one = chain(OFFICER, OWNER)
    one = replace(one, verdicts=(decide(one, people, user="carol", agrees=False),))

    assert (one.refused, one.approved, one.current) == (True, False, None)
    with pytest.raises(NotYourTurn):
        decide(one, people, user="alice", agrees=True)


@pytest.mark.parametrize("user", ["alice", "bob", "mallory"])
def test_refuses_whose_turn_it_is_not(user: str) -> None:
    with pytest.raises(NotYourTurn):
        decide(chain(OFFICER, OWNER), [ALICE, BOB, CAROL], user=user, agrees=True)


def test_a_person_counts_once_in_a_step() -> None:
    people = [ALICE, CAROL]
    one = after(chain(Step(("owner", "budget_officer"), needed=2)), people, "carol")

    assert may(one, people) == {"alice"}
    with pytest.raises(NotYourTurn):
        decide(one, people, user="carol", agrees=True)


def test_who_asked_does_not_sign_while_another_is_there() -> None:
    either = Step(("owner", "budget_officer"))

    assert may(chain(either, requester="alice"), [ALICE, CAROL]) == {"carol"}
    assert may(chain(either, requester="carol"), [ALICE, CAROL]) == {"alice"}


def test_falls_to_the_owner_when_its_people_are_gone() -> None:
    one = chain(OFFICER)

    assert (rung(one, [ALICE, BOB]), may(one, [ALICE, BOB])) == (Rung.OWNER, {"alice"})


def test_falls_to_whoever_may_sign_when_the_only_owner_asked() -> None:
    one = chain(OWNER, requester="alice")

    assert (rung(one, [ALICE, BOB, ERIN]), may(one, [ALICE, BOB, ERIN])) == (
        Rung.OTHERS,
        {"erin"},
    )


def test_an_owner_who_asked_signs_only_where_nobody_else_may() -> None:
    one = chain(OWNER, requester="alice")

    assert (rung(one, [ALICE, BOB]), may(one, [ALICE, BOB])) == (Rung.REQUESTER, {"alice"})
    assert after(one, [ALICE, BOB], "alice").verdicts[0].rung == Rung.REQUESTER


def test_nobody_signs_where_nobody_may() -> None:
    found = pool_now(chain(OWNER, requester="bob"), [BOB])

    assert found is not None
    assert (found.seats, found.missing) == ((), 1)


def test_a_named_member_who_lost_the_role_does_not_sign() -> None:
    one = chain(Step((), ("mem_c",)))

    assert may(one, [ALICE, CAROL]) == {"carol"}
    assert may(one, [ALICE, replace(CAROL, role="developer", signs=False)]) == {"alice"}


def test_a_deputy_signs_for_who_is_away_and_both_count_as_one() -> None:
    dan = Person("dan", "mem_d", "auditor", signs=False, for_members=("mem_c",))
    people = [ALICE, CAROL, dan]
    one = chain(Step(("budget_officer",)))

    assert may(one, people) == {"carol", "dan"}
    verdict = decide(one, people, user="dan", agrees=True)
    assert (verdict.seat.user, verdict.seat.of, verdict.rung) == ("dan", "carol", Rung.STEP)

    two = after(chain(Step(("budget_officer", "owner"), needed=2)), people, "dan")
    assert may(two, people) == {"alice"}


def test_a_deputy_of_who_asked_does_not_sign_for_them() -> None:
    dan = Person("dan", "mem_d", "auditor", signs=False, for_members=("mem_a",))

    assert may(chain(OWNER, requester="alice"), [ALICE, CAROL, dan]) == {"carol"}
    assert may(chain(OWNER, requester="alice"), [ALICE, dan]) == {"alice"}


def test_who_asked_does_not_sign_as_a_deputy() -> None:
    bob = replace(BOB, for_members=("mem_c",))

    assert may(chain(OFFICER), [ALICE, bob, CAROL]) == {"carol"}


def test_who_signed_a_step_does_not_stand_in_for_the_next() -> None:
    carol = replace(CAROL, for_members=("mem_a",))
    people = [ALICE, carol]
    one = after(chain(OFFICER, OWNER), people, "carol")

    assert may(one, people) == {"alice"}


def test_who_signed_signs_the_next_step_only_if_nobody_else_can() -> None:
    people = [ALICE, BOB]
    one = after(chain(OFFICER, OWNER), people, "alice")

    assert (rung(one, people), may(one, people)) == (Rung.STEP, {"alice"})


def test_a_deputy_of_two_signs_for_one_of_them() -> None:
    dan = Person("dan", "mem_d", "auditor", signs=False, for_members=("mem_c", "mem_a"))
    people = [ALICE, CAROL, dan]
    one = after(chain(Step(("budget_officer", "owner"), needed=2)), people, "dan")

    assert may(one, people) == {"alice", "carol"} - {one.verdicts[0].seat.of}


def test_a_step_that_needs_more_than_are_there_falls_to_more_people() -> None:
    one = chain(Step(("budget_officer",), needed=2))

    assert may(one, [BOB, CAROL, ERIN]) == {"carol", "erin"}
    assert may(after(one, [BOB, CAROL, ERIN], "carol"), [BOB, CAROL, ERIN]) == {"erin"}


def test_only_an_owner_signs_what_they_asked_for() -> None:
    found = pool_now(chain(OWNER, requester="erin"), [BOB, ERIN])

    assert found is not None
    assert (found.seats, found.missing) == ((), 1)


# ─── any sequence ──────────────────────────────────────────────────────────────────────────────

ROLES = ("owner", "administrator", "budget_officer", "developer")
USERS = [f"user{number}" for number in range(6)]


@st.composite
def staffs(draw: st.DrawFn) -> list[Person]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        role = draw(st.sampled_from(ROLES))
        absent = draw(st.sets(st.sampled_from([f"mem{n}" for n in range(6)]), max_size=2))
        found.append(
            Person(
                USERS[number],
                f"mem{number}",
                role,
                signs=role != "developer",
                for_members=tuple(sorted(absent - {f"mem{number}"})),
            )
        )
    return found


STEPS = st.builds(
    Step,
    roles=st.sets(st.sampled_from(ROLES[:3]), min_size=1).map(lambda found: tuple(sorted(found))),
    members=st.sampled_from([(), ("mem1",)]),
    needed=st.integers(1, 3),
)


@settings(max_examples=500, deadline=None)
@given(
    steps=st.lists(STEPS, min_size=1, max_size=3),
    staff=st.lists(staffs(), min_size=1, max_size=3),
    tries=st.lists(st.tuples(st.sampled_from(USERS), st.integers(0, 2)), max_size=25),
)
def test_no_sequence_approves_without_all_steps(
    steps: list[Step], staff: list[list[Person]], tries: list[tuple[str, int]]
) -> None:
    """People come, go and change their roles in between; whoever is refused changes nothing."""
    one = chain(*steps, requester=USERS[0])
    for user, when in tries:
        people = staff[when % len(staff)]
        try:
            verdict = decide(one, people, user=user, agrees=True)
        except NotYourTurn:
            continue
        if verdict.seat.user == USERS[0]:
            asked = next(p for p in people if p.user == USERS[0])
            assert (verdict.rung, asked.role) == (Rung.REQUESTER, "owner")
        one = replace(one, verdicts=(*one.verdicts, verdict))

    for number, step in enumerate(steps):
        users = [v.seat.user for v in one.verdicts if v.step == number]
        seats = [v.seat.of for v in one.verdicts if v.step == number]
        assert len(users) == len(set(users)) and len(seats) == len(set(seats))
        assert len(users) <= step.needed
        if one.approved:
            assert len(users) == step.needed
    if one.verdicts:  # in order: a later step only after the earlier ones
        assert [v.step for v in one.verdicts] == sorted(v.step for v in one.verdicts)
