"""What engines have served, over their starts."""

from __future__ import annotations

from portal.fleet.drivers.contract import ServedReport
from portal.mdc.served import Served, counters

LLAMA = """# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 1200
llamacpp:tokens_predicted_total 3.4e+02
llamacpp:n_busy_slots_per_decode 1
"""
E5 = "dure_engine:requests_total 3\ndure_engine:prompt_tokens_total 50\n"


def test_reads_both_kinds_of_engines() -> None:
    assert counters(LLAMA) == {"tokens_in": 1200, "tokens_out": 340}
    assert counters(E5) == {"requests": 3, "tokens_in": 50}
    assert counters("llamacpp:prompt_tokens_total many\n<html>") == {}


def test_says_nothing_until_an_engine_told_something() -> None:
    served = Served(since_ms=1)
    served.told("no counters here")
    assert served.report() is None

    served.told("dure_engine:prompt_tokens_total 0")
    assert served.report() == ServedReport(since_ms=1, tokens_in=0, tokens_out=0)


def test_goes_on_counting_when_an_engine_starts_again() -> None:
    served = Served(since_ms=1)
    served.told(LLAMA)
    served.engine_ended()
    served.told(LLAMA)
    served.engine_ended()
    served.engine_ended()

    assert served.report() == ServedReport(since_ms=1, tokens_in=2400, tokens_out=680)
