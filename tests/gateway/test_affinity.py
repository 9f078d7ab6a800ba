"""Where a prefix was read last: bounded, and never a word of it is kept."""

from __future__ import annotations

from portal.gateway.affinity import Affinity, prefix_of

LONG = "당신은 의원의 상담을 돕는 사람입니다. " * 20


def test_remembers_who_read_last() -> None:
    one = Affinity()
    prefix = prefix_of("org_a", "ep", LONG)

    assert one.of(prefix) == ""
    one.note(prefix, "plc_1")
    one.note(prefix, "plc_2")

    assert one.of(prefix) == "plc_2"
    assert len(one) == 1


def test_only_what_comes_first_is_compared() -> None:
    begin = "x" * 1024

    assert prefix_of("org_a", "ep", begin + "one") == prefix_of("org_a", "ep", begin + "two")
    assert prefix_of("org_a", "ep", LONG) != prefix_of("org_a", "ep", "y" + LONG)


def test_organizations_and_endpoints_do_not_meet() -> None:
    one = prefix_of("org_a", "ep", LONG)

    assert one != prefix_of("org_b", "ep", LONG)
    assert one != prefix_of("org_a", "ep_2", LONG)


def test_short_prompts_go_anywhere() -> None:
    one = Affinity()

    one.note(prefix_of("org_a", "ep", "안녕?"), "plc_1")

    assert prefix_of("org_a", "ep", "안녕?") == 0
    assert len(one) == 0 and one.of(0) == ""


def test_forgets_what_was_used_longest_ago() -> None:
    one = Affinity(most=3)
    for prefix in (1, 2, 3):
        one.note(prefix, f"plc_{prefix}")
    one.note(1, "plc_1")

    one.note(4, "plc_4")

    assert [one.of(prefix) for prefix in (1, 2, 3, 4)] == ["plc_1", "", "plc_3", "plc_4"]
    for prefix in range(5, 100_000):
        one.note(prefix, "plc")
    assert len(one) == 3
