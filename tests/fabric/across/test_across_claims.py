"""Published claims: the numbers of the notes they rest on, and that verdicts say no more than was computed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from gigawatt.physics.fabric.across.claims import VERDICTS, published_claims

CLAIMS = {claim.id: claim for claim in published_claims()}


def test_every_claim_says_what_is_missing_and_where_it_is_from() -> None:
    assert len(CLAIMS) == 5
    for claim in CLAIMS.values():
        assert claim.verdict in VERDICTS
        assert claim.missing and claim.source and claim.findings


def test_load_balance_gives_the_ratio_and_distance_does_not_matter() -> None:
    claim = CLAIMS["spectrum-xgs"]
    assert claim["ratio_three_tiers"] == pytest.approx(claim.published, rel=0.02)
    # A fabric of two tiers gives the other published pair, 95 over 60 %.
    assert claim["ratio_two_tiers"] == pytest.approx(0.95 / 0.60, rel=0.08)
    assert claim["round_trip_s"] == pytest.approx(1e-4)
    assert claim["round_trip_over_transfer"] < 0.01


def test_two_sites_at_96_percent() -> None:
    claim = CLAIMS["nemotron-4-340b"]
    assert claim["bytes_per_s_overlap"] * 8 == pytest.approx(0.6e12, rel=0.05)
    assert claim["bytes_per_s_no_overlap"] * 8 == pytest.approx(8.9e12, rel=0.02)
    assert claim["latency_share_of_step"] < 0.001
    assert claim["exposed_s"] / (15 + claim["exposed_s"]) == pytest.approx(0.04)
    # Not testable: half the step asks for more than twice the bandwidth, so some step fits any link.
    faster = next(c for c in published_claims(step_s=7.5) if c.id == claim.id)
    assert faster["bytes_per_s_overlap"] > 1.9 * claim["bytes_per_s_overlap"]
    assert claim.verdict == "consistent"


def test_a_ring_of_23_sites() -> None:
    claim = CLAIMS["epoch-10-gw"]
    assert claim["latency_s"] == pytest.approx(0.046, abs=5e-4)
    assert claim["synchronisation_s"] == pytest.approx(claim.published, rel=0.06)
    assert claim["bytes_per_s_implied"] * 8 / 1e15 == pytest.approx(6, rel=0.06)


def test_ratio_of_decoupled_training() -> None:
    claim = CLAIMS["decoupled-diloco"]
    assert claim["ratio"] == pytest.approx(198 / 0.84)
    assert claim["sync_every_4_bits"] == pytest.approx(claim["sync_every_same_bits"] / 4)
    # Fewer exchanges alone do not give it at 90 %: a blocking exchange hides less than it saves.
    assert claim["ratio_blocking"] < claim["ratio"] / 4
    regions = CLAIMS["decoupled-diloco-12b"]
    assert (regions["shortest_period_s"], regions["longest_period_s"]) == (pytest.approx(38.4), pytest.approx(96))
    assert regions.verdict == "untested"


@pytest.mark.truth
@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the fact tables")
def test_claims_are_those_collected() -> None:
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "facts" / "scale_across.csv").open(encoding="utf-8") as lines:
        facts = {row["id"]: row["value"] for row in csv.DictReader(lines)}
    assert facts["X001"] == f"up to {CLAIMS['spectrum-xgs'].published}"
    assert float(facts["X003"]) / 100 == CLAIMS["nemotron-4-340b"].published
    assert facts["X107"].endswith(f"~{CLAIMS['epoch-10-gw'].published * 1000:.0f} ms")
    assert facts["X011"] == f"198 vs {CLAIMS['decoupled-diloco'].published}"
    assert facts["X010"] == "2-5"
