"""The search: pipelines, drafts, pairs of pools, two kinds of chips, percentiles; and what it leaves as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import PowerMode, chip_from_record
from gigawatt.physics.fabric import default_fabric
from gigawatt.physics.serving import Draft, eagle_head, frontier, frontiers
from gigawatt.physics.serving.engine.deployment import FULL
from gigawatt.physics.serving.engine.layouts import layouts
from gigawatt.physics.serving.engine.model import served_model
from gigawatt.physics.serving.search.combos import side
from gigawatt.physics.serving.search.pairs import partners_of, prefill_of
from gigawatt.physics.serving.search.space import PrefillOn, search
from gigawatt.physics.serving.steady.aggregated import Load
from gigawatt.physics.serving.steady.transfer import CachePath
from gigawatt.physics.workload import Architecture, FeedForward, LayerGroup, Mixer, from_config

CATALOG = Catalog.load()
DENSE = Architecture(
    "8b", "llama", 4096, 128256, (LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336)),)
)
SPARSE = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
H200, B200, MI355X = (chip_from_record(CATALOG.get("accelerator", n)) for n in ("h200-sxm", "b200-sxm", "mi355x"))
ASK = {"input_tokens": 2000.0, "output_tokens": 400.0}
SAVING = PowerMode("saving", 0.7, 0.85, 0.95)


def best(found):
    return found.tokens_out_per_s_per_chip.max() if len(found) else 0.0


def test_layouts_of_pipelines_have_names_and_limits():
    model = served_model(DENSE)
    names = [p.name for p in layouts(model, 8, stages=4)]
    assert "tp8-pp4" in names and "tp1-pp2" in names and "tp8" in names and "tp8-pp8" not in names
    (named,) = layouts(model, 8, "tp4-pp3")
    assert (named.gpus, named.stages, named.chips) == (4, 3, 12)
    assert not layouts(model, 8, "tp4-pp33")  # more stages than layers
    assert [p.name for p in layouts(model, 8)] == [p.name for p in layouts(model, 8, stages=1)]


def test_a_pipeline_lets_a_model_in_that_no_domain_holds():
    big = from_config("llama3-405b", CATALOG.get("model", "llama3-405b").config)
    small = replace(H200, scaleup_domain=4)
    alone = frontier(big, small, **ASK, precisions=("bf16",), disaggregate=False)
    assert not len(alone) and "GB short" in alone.rejected[0].nearest_fix
    assert "or weights in fp8 on" in alone.rejected[0].nearest_fix
    found = frontier(big, small, **ASK, precisions=("bf16",), disaggregate=False, stages=4)
    assert len(found) and all("pp" in name for name in found.mapping)


def test_more_to_choose_from_is_never_worse():
    base = best(frontier(SPARSE, H200, **ASK, ttft_s=3.0, tpot_s=0.03))
    for more in (
        {"drafts": (None, Draft(1, 0.85))},
        {"stages": 2},
        {"partners": 4},
        {"partners": 4, "modes": (FULL, SAVING)},
    ):
        assert best(frontier(SPARSE, H200, **ASK, ttft_s=3.0, tpot_s=0.03, **more)) >= base * (1 - 1e-9), more


def test_drafts_win_where_time_per_token_is_short():
    limits = {"ttft_s": 3.0, "disaggregate": False}
    for tpot_s, gains in ((0.012, True), (0.2, False)):
        plain, drafted = (
            best(frontier(SPARSE, H200, **ASK, **limits, tpot_s=tpot_s, drafts=(d,))) for d in (None, Draft(1, 0.85))
        )
        assert (drafted > 1.2 * plain) if gains else (drafted < 1.5 * plain)


def test_the_space_says_which_rows_draft():
    found = search(DENSE, H200, **ASK, drafts=(None, Draft(2, 0.6, DENSE)), engines=("vllm",)).space
    assert set(found.drafted) == {0.0, 2.0}
    # Drafting with the model itself is never worth it.
    fast = found.tpot_s[found.drafted == 0].min()
    assert found.tpot_s[found.drafted == 2].min() > fast


def test_partners_that_another_beats_are_left_out():
    load = Load.of(2000.0, 400.0, 1.0)
    plans = layouts(served_model(SPARSE), 8)
    s = side(
        SPARSE, H200, default_fabric(H200), plans, load, precisions=("fp8",), engines=("sglang",), modes=(FULL, SAVING)
    )
    worth = prefill_of(s, load)
    pairs = partners_of(s, s, worth, [np.inf], 0.99, 5)
    beside = sorted({j for _, j in pairs})
    per_chip, first = worth.capacity_per_s / s.base.chips, worth.ttft_s(0.99)
    assert 2 <= len(beside) <= 5 and len(pairs) == s.fits.sum() * len(beside)
    for j in beside:
        for k in np.flatnonzero(s.fits):
            assert not (per_chip[k] > per_chip[j] and first[k] < first[j] and worth.energy_j[k] < worth.energy_j[j])
    (single,) = {j for _, j in partners_of(s, s, worth, [np.inf], 0.99, 1) if s.combos[j].mode is FULL}
    own = [k for k in np.flatnonzero(s.fits) if s.combos[k].mode is FULL]
    assert per_chip[single] == pytest.approx(per_chip[own].max())


def test_pools_of_two_kinds_of_chips():
    on = PrefillOn(B200, CachePath(45e9))
    found = search(SPARSE, H200, **ASK, aggregate=False, prefill_on=on, engines=("vllm",)).space
    alike = search(SPARSE, H200, **ASK, aggregate=False, engines=("vllm",)).space
    assert len(found) and found.pooled.all()
    # A faster chip prefills with fewer of them; decoders stay what they are.
    name = "dp8-ep8 decode"
    mixed, same = (s.take(np.flatnonzero([m.endswith(name) for m in s.mapping])) for s in (found, alike))
    np.testing.assert_allclose(np.unique(mixed.tpot_s), np.unique(same.tpot_s))
    assert mixed.prefill_chips[0] < same.prefill_chips[0]
    # CUDA's own engine runs on one side only, so it serves neither.
    both = search(SPARSE, H200, **ASK, aggregate=False, prefill_on=PrefillOn(MI355X, CachePath(45e9))).space
    assert set(both.engine) <= {"vllm", "sglang"}


def test_a_path_shows_in_the_first_token_of_pools_alone():
    ask = {**ASK, "aggregate": False, "engines": ("vllm",)}
    none, thin = search(DENSE, H200, **ask).space, search(DENSE, H200, **ask, path=CachePath(1e9, by_layer=False)).space
    assert (thin.ttft_s > none.ttft_s).all()
    np.testing.assert_array_equal(thin.requests_per_s, none.requests_per_s)


def test_a_higher_percentile_is_a_harder_slo():
    limits = {"ttft_s": 0.2, "tpot_s": 0.1, "disaggregate": False, "engine": "vllm"}
    rates = [best(frontier(DENSE, H200, **ASK, **limits, percentile=p)) for p in (0.5, 0.9, 0.99)]
    assert rates[0] >= rates[1] >= rates[2] > 0 and rates[0] > rates[2]
    default = frontier(DENSE, H200, **ASK, **limits)
    assert best(default) == pytest.approx(rates[2], rel=0.25)


def test_cached_prefixes_and_derates_are_inputs_of_the_search():
    limits = {"ttft_s": 2.0, "tpot_s": 0.03}
    base = best(frontier(DENSE, H200, **ASK, **limits))
    assert best(frontier(DENSE, H200, **ASK, **limits, cached_share=0.5)) > 1.05 * base
    assert best(frontier(DENSE, H200, **ASK, **limits, decode_derate=0.8, prefill_derate=0.51)) < 0.85 * base
    with pytest.raises(TypeError):
        frontier(DENSE, H200, **ASK, cashed_share=0.5)


@pytest.mark.parametrize(("arch", "chip"), [(SPARSE, H200), (DENSE, B200)], ids=["sparse", "dense"])
def test_watts_lie_between_idle_and_the_limit(arch, chip):
    draft = Draft(2, 0.7, eagle_head(arch, 32000))
    found = search(arch, chip, **ASK, drafts=(None, draft), partners=3, modes=(FULL, SAVING), stages=2).space
    assert (found.chip_w >= chip.idle_w).all() and (found.chip_w <= chip.tdp_w).all()


def test_several_slos_of_one_search_answer_as_each_alone():
    limits = [(0.5, 0.01), (5.0, 0.05)]
    asked = {"input_tokens": 2000.0, "output_tokens": 300.0}
    together = frontiers(SPARSE, H200, limits, **asked)
    alone = [frontier(SPARSE, H200, ttft_s=ttft_s, tpot_s=tpot_s, **asked) for ttft_s, tpot_s in limits]
    for one, other, (ttft_s, tpot_s) in zip(together, alone, limits, strict=True):
        assert len(one) and one.ttft_s.max() <= ttft_s and one.tpot_s.max() <= tpot_s
        # What is found for one limit may also serve another: never less.
        best = one.tokens_out_per_s_per_chip.max()
        assert best >= other.tokens_out_per_s_per_chip.max() * (1.0 - 1e-12)
    assert together[1].tokens_out_per_s_per_chip.max() > together[0].tokens_out_per_s_per_chip.max()
