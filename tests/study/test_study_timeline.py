"""Quarters, phases and weights."""

from datetime import date
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.study.load import load
from gigawatt.study.timeline import add_months, quarters_until, timeline

EXAMPLES = resources.files("gigawatt") / "examples"


def test_phases_of_the_gigawatt() -> None:
    line = timeline(load(str(EXAMPLES / "one-gigawatt.yaml")).scenario)
    assert line.quarters == 20
    assert [(p.first, p.last, p.owed) for p in line.phases] == [(0, 1, ("pretrain",)), (2, 19, ())]
    assert sum(p.weight for p in line.phases) == pytest.approx(1)
    assert line.ends[0] == date(2027, 4, 1)


@given(st.integers(1, 12), st.floats(0, 0.5))
def test_annuity_of_a_build_lies_between_none_and_all_at_once(build: int, rate: float) -> None:
    slow = timeline(
        load(str(EXAMPLES / "one-rack.yaml"), [f"horizon.build_quarters={build}", f"discount_rate={rate}"]).scenario
    )
    once = timeline(load(str(EXAMPLES / "one-rack.yaml"), [f"discount_rate={rate}"]).scenario)
    assert 0 < slow.annuity_years <= once.annuity_years + 1e-12
    quarterly = (1 + rate) ** 0.25 - 1
    level = (1 - (1 + quarterly) ** -20) / quarterly if quarterly > 1e-9 else 20
    assert once.annuity_years == pytest.approx(level / 4, rel=1e-6)


def test_calendar() -> None:
    assert add_months(date(2027, 1, 31), 1) == date(2027, 2, 28)
    assert quarters_until(date(2027, 1, 1), date(2028, 6, 30)) == 6
    assert quarters_until(date(2027, 1, 1), date(2026, 6, 30)) == 0
