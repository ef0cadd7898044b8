"""Reliability: how often many chips fail, how often to save, and what share of the time counts."""

from gigawatt.physics.reliability.failures import (
    expected_failures,
    failure_rate_per_s,
    mean_time_between_failures_s,
    node_rate_per_s,
)
from gigawatt.physics.reliability.goodput import (
    Goodput,
    daly_interval_s,
    goodput,
    serving_availability,
    young_interval_s,
)

__all__ = [
    "Goodput",
    "daly_interval_s",
    "expected_failures",
    "failure_rate_per_s",
    "goodput",
    "mean_time_between_failures_s",
    "node_rate_per_s",
    "serving_availability",
    "young_interval_s",
]
