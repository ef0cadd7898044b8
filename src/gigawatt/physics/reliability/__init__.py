"""Reliability: how often many chips fail and why, what an interruption costs, how often to save, what share of time counts."""

from gigawatt.physics.reliability.checkpoint import Storage, default_storage, state_bytes, state_recipes, transfer_s
from gigawatt.physics.reliability.effective import Effective, Plan, default_plan, effective_training
from gigawatt.physics.reliability.failures import (
    Cause,
    Fleet,
    causes,
    clusters,
    expected_failures,
    failure_rate_per_s,
    job_rate_per_s,
    mean_time_between_failures_s,
    node_rate_per_s,
)
from gigawatt.physics.reliability.goodput import Goodput, goodput
from gigawatt.physics.reliability.incidents import Downtime, Recovery, downtime
from gigawatt.physics.reliability.intervals import best_interval_s, daly_interval_s, young_interval_s
from gigawatt.physics.reliability.serving import ServingFleet, serving_availability, serving_fleet
from gigawatt.physics.reliability.spares import operational, spares_needed, waiting_share

__all__ = [
    "Cause",
    "Downtime",
    "Effective",
    "Fleet",
    "Goodput",
    "Plan",
    "Recovery",
    "ServingFleet",
    "Storage",
    "best_interval_s",
    "causes",
    "clusters",
    "daly_interval_s",
    "default_plan",
    "default_storage",
    "downtime",
    "effective_training",
    "expected_failures",
    "failure_rate_per_s",
    "goodput",
    "job_rate_per_s",
    "mean_time_between_failures_s",
    "node_rate_per_s",
    "operational",
    "serving_availability",
    "serving_fleet",
    "spares_needed",
    "state_bytes",
    "state_recipes",
    "transfer_s",
    "waiting_share",
    "young_interval_s",
]
