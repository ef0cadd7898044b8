"""A service sold at several levels: each level is a workload with limits, price and customers of its own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from gigawatt.core.errors import InputError
from gigawatt.study.answer import Answer
from gigawatt.study.bands import make_draws
from gigawatt.study.load import load
from gigawatt.study.pipeline import work_out
from gigawatt.study.resolve import resolve
from gigawatt.study.workloads import Serving

RACK = resources.files("gigawatt") / "examples" / "one-rack.yaml"
LINE = "    price: {input: 0.30 USD/Mtok, output: 1.20 USD/Mtok, realised_share: 25 %}\n"
TIERS = """    slo_tiers:
      - {id: fast, slo: {ttft_p99: 1 s, tpot_p99: %s}, at: %s, demand: {output: %s tokens/s, peak_to_mean: 1.0}}
"""


def _tiered(folder: Path, tpot: str = "15 ms", at: str = "300 %", output: str = "2e3", more: str = "") -> Answer:
    path = folder / "tiers.yaml"
    text = RACK.read_text(encoding="utf-8")
    assert LINE in text
    path.write_text(text.replace(LINE, LINE + TIERS % (tpot, at, output)) + more, encoding="utf-8")
    return work_out(load(path))


def test_a_tier_keeps_its_own_limit_and_takes_its_own_price(tmp_path: Path) -> None:
    answer = _tiered(tmp_path)
    names = [work.id for work in answer.resolved.works]
    assert names == ["chat", "chat-fast"]
    points = answer.priced.performance.points
    fast = [p.tpot_s for p in points if names[p.work] == "chat-fast"]
    slow = [p.tpot_s for p in points if names[p.work] == "chat"]
    assert max(fast) <= 0.015 < max(slow) <= 0.050
    segments = answer.priced.inputs.segments
    price = dict(zip(segments.names, segments.usd_per_mtok, strict=True))
    assert price["chat-fast"] == pytest.approx(3 * price["chat"])


def test_a_tier_that_pays_enough_is_served_first_and_only_then(tmp_path: Path) -> None:
    # A token of the fast tier takes over twice the rack-time of a slow one here, so 150 % does not pay and 900 % does.
    sold = {}
    for at in ("150 %", "900 %"):
        plan = _tiered(tmp_path, at=at).plan
        sold[at] = float(plan.sold_tokens_per_s[plan.inputs.segments.names.index("chat-fast")].max())
    assert sold["900 %"] == pytest.approx(2e3, rel=1e-6)
    assert sold["150 %"] == pytest.approx(0.0, abs=1e-6)


def test_one_draw_of_the_price_moves_every_level(tmp_path: Path) -> None:
    law = "uncertainty: {samples: 64, vary: {workloads.chat.price: {dist: lognormal, gsd: 1.2}}}\n"
    answer = _tiered(tmp_path, more=law)
    price = make_draws(answer.resolved, answer.priced).price
    assert price is not None and np.ptp(price[:, 0]) > 0
    assert np.array_equal(price[:, 0], price[:, 1])


def test_a_tier_can_not_take_the_name_of_another_workload(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    text = RACK.read_text(encoding="utf-8").replace(LINE, LINE + TIERS % ("15 ms", "200 %", "1e3"))
    body = text.split("workloads:\n")[1].split("companies:")[0].replace("id: chat", "id: chat-fast", 1)
    body = body.replace(TIERS % ("15 ms", "200 %", "1e3"), "")
    path.write_text(text.replace("companies:\n", body + "companies:\n", 1), encoding="utf-8")
    with pytest.raises(InputError) as error:
        resolve(load(path))
    (problem,) = error.value.problems
    assert "chat-fast" in problem.message and problem.where is not None


@pytest.mark.parametrize(
    ("given", "decode", "prefill"),
    [("profile-to-production", 0.80, 0.51), ("70 %", 0.7, 0.7), ("{decode: 90 %, prefill: 0.6}", 0.9, 0.6)],
)
def test_a_derate_is_a_name_a_share_or_one_of_each_phase(given: str, decode: float, prefill: float) -> None:
    spec = load(str(RACK), [f"workloads.chat.derate={given}"]).scenario.workloads[0]
    assert isinstance(spec, Serving)
    assert (spec.derate.decode, spec.derate.prefill) == pytest.approx((decode, prefill))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("derate=fast", "no derate: a share such as 80 %"),
        ("derate={decode: 120 %}", "derate.decode: '120 %' is out of range"),
        ("derate={decode: 80 %, prefil: 1}", "did you mean 'prefill'"),
        ("speculation={tokens: 0}", "speculation.tokens: 0 is out of range"),
        ("slo_tiers=[{id: fast, slo: {tpot_p99: 5}, demand: {output: 1e3 tokens/s}}]", "has no unit"),
    ],
)
def test_what_is_wrong_with_how_it_is_served_is_said(change: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        load(str(RACK), [f"workloads.chat.{change}"])
    assert says in str(error.value)


def test_less_kept_of_a_phase_earns_less_and_drafts_are_taken_where_they_pay() -> None:
    def worth(*changes: str) -> float:
        return work_out(load(str(RACK), [f"workloads.chat.{change}" for change in changes])).plan.value_usd_per_yr

    usual = worth()
    assert worth("derate={decode: 80 %, prefill: 30 %}") < usual < worth("derate={decode: 90 %, prefill: 51 %}")
    assert worth("speculation={tokens: 1, acceptance: 85 %}") > usual
    assert worth("speculation={tokens: 1, acceptance: 0 %}") == pytest.approx(usual, rel=1e-9)
