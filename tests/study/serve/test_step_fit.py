"""The seconds of a step's terms as a log shows them: they sum to what was measured, whatever the load, and scale with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Spec, deploy
from gigawatt.physics.serving.engine.terms import TERMS, step_terms
from gigawatt.physics.serving.events import Fleet, simulate
from gigawatt.physics.serving.events.arrivals import Gamma, Lengths, generate
from gigawatt.physics.workload import from_config
from gigawatt.study.serve.calibrate import curve_of_terms
from gigawatt.study.serve.calibrated import Limits, Outside
from gigawatt.study.serve.request_log import log_of
from gigawatt.study.serve.step_fit import fit_terms, seconds_by_term

CAT = Catalog.load()
SEQUENCES, BUDGET = 48, 2048


@pytest.fixture(scope="module")
def two_chips():
    arch = from_config("qwen3-32b", CAT.get("model", "qwen3-32b").config)
    chip = chip_from_record(CAT.get("accelerator", "h100-sxm"))
    d = deploy([Spec(arch, chip, 2, engine="vllm", precision="bf16")])
    return d, step_terms(d, 0, SEQUENCES, BUDGET)


def served(d, terms, factors, rate, gap_cv=1.0, seed=0, count=150):
    lengths = (Lengths(800.0, 1.0, 16, 6000), Lengths(180.0, 0.5, 16, 800))
    asked = generate(Gamma(gap_cv), rate, count, lengths, seed=seed)
    curve = curve_of_terms(terms, factors, Outside.of(d, 0), Limits.given(SEQUENCES, BUDGET, 300_000))
    return log_of(simulate(asked.requests(), Fleet.of(curve)))


@settings(max_examples=12, deadline=None)
@given(
    logs=st.lists(st.floats(-0.4, 0.4), min_size=len(TERMS), max_size=len(TERMS)),
    rate=st.floats(0.3, 12.0),
    gap_cv=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_terms_sum_to_what_was_measured(two_chips, logs, rate, gap_cv):
    """From idle to overloaded: in the median within a percent, all but a tenth within four."""
    d, terms = two_chips
    log = served(d, terms, np.exp(logs), rate, gap_cv)
    found = seconds_by_term(log, terms, BUDGET) @ np.exp(logs)
    off = np.abs(found / (log.finish_s - log.first_token_s) - 1.0)
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.9) < 0.04


def test_steps_that_make_several_tokens(two_chips):
    d, terms = two_chips
    log = served(d, replace(terms, tokens_per_step=1.8), np.ones(len(TERMS)), 3.0)
    found = seconds_by_term(log, replace(terms, tokens_per_step=1.8), BUDGET).sum(axis=1)
    assert np.median(np.abs(found / (log.finish_s - log.first_token_s) - 1.0)) < 0.01


def test_without_the_time_of_scheduling_it_is_nearly_the_same(two_chips):
    d, terms = two_chips
    log = served(d, terms, np.ones(len(TERMS)), 3.0)
    blind = replace(log, scheduled_s=np.full(len(log), np.nan))
    there, missing = (seconds_by_term(one, terms, BUDGET).sum(axis=1) for one in (log, blind))
    assert np.median(np.abs(missing / there - 1.0)) < 0.005


@settings(max_examples=10, deadline=None)
@given(level=st.floats(-0.4, 0.4))
def test_a_common_level_is_found_whatever_the_priors(two_chips, level):
    d, terms = two_chips
    log = served(d, terms, np.full(len(TERMS), np.exp(level)), 4.0)
    theta, sigma = fit_terms(log, terms, np.ones(len(log), dtype=np.bool_), np.full(len(TERMS), 0.3), BUDGET)
    parts = seconds_by_term(log, terms, BUDGET).sum(axis=0)
    assert np.log(parts @ np.exp(theta) / parts.sum()) == pytest.approx(level, abs=0.015)
    assert np.all((sigma > 0.0) & (sigma <= 0.3 + 1e-9))
