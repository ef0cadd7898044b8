"""One measured point of a deployment: factors that other points of the same deployment then share.

    w      = 1 - (within / total)^2                         what of a point's residual is the deployment's own
    step   : all terms of the step times this, so that TPOT is predicted (measured / predicted)^w
    ttft   = (measured / predicted with that step)^w        on TTFT as it comes out

`total` is the sigma of the logarithm of a point's residual before anything of its deployment is known (the serving
calibration's bands), `within` that of points of one deployment around their own level (calibration `serving-anchor`): the
rest lasts. A measured TTFT does not move the step: most of its residual is how requests were released, and taken for slow
prompts it made TPOT worse. An anchor is of one layout and release: for another one of the same model and chip it says nothing
(see the record).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.terms import TERMS, scaled
from gigawatt.physics.serving.steady.aggregated import Load, steady_state

RECORD = "serving-anchor"
OF_80 = 1.2815515655446004  # an 80 % half-width in sigmas
ROUNDS = 30
RANGE = (0.05, 20.0)  # factors beyond which a point is of another deployment than the one stated


@dataclass(frozen=True, slots=True)
class Anchor:
    """Factors on the step and on TTFT, and what share of each measured residual was taken over (0 where none was)."""

    step: float
    ttft: float
    tpot_weight: float
    ttft_weight: float

    @property
    def factors(self) -> Floats:
        """A factor for each of `TERMS`."""
        return np.full(len(TERMS), self.step)


@lru_cache(maxsize=1)
def within() -> Mapping[str, float]:
    """Sigma of the logarithm of 'tpot' and 'ttft' of points around their deployment's level."""
    record = Catalog.load().get("calibration", RECORD)
    return {name: float(record.parameters[f"within_{name}"].value) for name in ("tpot", "ttft")}


def weight(half_width: float, within_sigma: float) -> float:
    """Share of a residual that lasts, of the 80 % half-width of the logarithm of a point's residual.

    >>> round(weight(0.155, 0.054), 2)
    0.8
    """
    total = half_width / OF_80
    return 1.0 - (within_sigma / total) ** 2 if total > within_sigma else 0.0


def anchor(
    d: Deployment,
    row: int,
    load: Load,
    *,
    tpot_s: float | None = None,
    ttft_s: float | None = None,
    tpot_half_width: float,
    ttft_half_width: float,
) -> Anchor:
    """Factors of one row from its measured mean TPOT, TTFT or both, s, at the load (one row) that they were measured at.

    Raises:
        ValueError: neither time is given, one is not above 0, the row does not fit, or no step gives the point.
    """
    given = [one for one in (tpot_s, ttft_s) if one is not None]
    if not given or min(given) <= 0.0:
        raise ValueError("an anchor has a TPOT or a TTFT above zero")
    one = take(d, np.array([row], dtype=np.intp))
    now = steady_state(one, load)
    if not bool(now.fits[0]):
        raise ValueError("the deployment does not fit its chips, so no point can have been measured on it")
    weights = weight(tpot_half_width, within()["tpot"]), weight(ttft_half_width, within()["ttft"])
    step = 1.0
    if tpot_s is not None:
        before = float(now.tpot_s[0])
        target = before * (tpot_s / before) ** weights[0]
        for _ in range(ROUNDS):
            off = target / float(now.tpot_s[0])
            step *= off
            if not RANGE[0] < step < RANGE[1]:
                message = f"no step of this deployment gives that point: its TPOT is {before * 1e3:.3g} ms here"
                raise ValueError(message)
            if abs(np.log(off)) < 1e-5:
                break
            now = steady_state(scaled(one, np.full(len(TERMS), step)), load)
    ttft = 1.0 if ttft_s is None else (ttft_s / float(now.ttft_s[0])) ** weights[1]
    return Anchor(step, ttft, weights[0] if tpot_s is not None else 0.0, weights[1] if ttft_s is not None else 0.0)
