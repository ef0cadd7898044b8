"""Requests to tokens per second at a service level: closed-form steady state, disaggregated pools, the frontier."""

from gigawatt.physics.serving.calibration import ENGINES
from gigawatt.physics.serving.deployment import Spec, deploy
from gigawatt.physics.serving.disaggregated import Pools, pools
from gigawatt.physics.serving.frontier import Frontier, Rejected, frontier
from gigawatt.physics.serving.model import ServedModel, served_model
from gigawatt.physics.serving.steady import Load, SteadyState, steady_state

__all__ = [
    "ENGINES",
    "Frontier",
    "Load",
    "Pools",
    "Rejected",
    "ServedModel",
    "Spec",
    "SteadyState",
    "deploy",
    "evaluate",
    "frontier",
    "pools",
    "served_model",
    "steady_state",
]


def evaluate(specs: list[Spec], load: Load) -> SteadyState:
    """The aggregated steady state of stated rows: `steady_state(deploy(specs), load)`."""
    return steady_state(deploy(specs), load)
