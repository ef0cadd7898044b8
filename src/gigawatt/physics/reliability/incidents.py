"""Seconds from an interruption to the next useful step, by how it shows.

    downtime = detection + diagnosis + replacement + start + reload

Detection: an explicit failure (an error code, a lost host) is seen by a health check; an implicit one (a hang, a slow-down)
by the timeout of a collective. Diagnosis: by a program, or by an engineer who is called. Replacement: a warm spare takes the
place, or a node is provisioned. Start: processes, compilation, communicators, which grow with the job. Reload: from the tier
that outlived the failure. Data: calibration `training-failures`; what is assumed there says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gigawatt.physics.reliability.failures import parameter


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a job is brought back. None stands for the calibration's value.

    diagnosis: "automatic", or "by hand".
    warm_spares: a healthy node with its image stands by.
    explicit_s, hang_timeout_s: detection of failures that report themselves and of those that do not.
    diagnose_s, replace_s, init_s: fixed times instead of the calibration's.
    """

    diagnosis: Literal["automatic", "by hand"] = "automatic"
    warm_spares: bool = True
    explicit_s: float | None = None
    hang_timeout_s: float | None = None
    implicit_share: float | None = None
    diagnose_s: float | None = None
    replace_s: float | None = None
    init_s: float | None = None


@dataclass(frozen=True, slots=True)
class Downtime:
    """Mean seconds of each part, and the two kinds of whole downtime with their shares."""

    detect_s: Any
    diagnose_s: Any
    start_s: Any
    reload_s: Any
    kinds: tuple[tuple[Any, Any], ...]

    @property
    def mean_s(self) -> Any:
        """Mean seconds of one."""
        return self.detect_s + self.diagnose_s + self.start_s + self.reload_s


def downtime(chips: Any, recovery: Recovery | None = None, reload_s: Any = 0.0) -> Downtime:
    """What one interruption of a job of `chips` chips costs, without the work lost.

    >>> round(float(downtime(100_000).mean_s) / 60, 1)  # FT-HSDP's synchronous job: 10 minutes
    9.8
    """
    how = Recovery() if recovery is None else recovery
    size = np.asarray(chips, dtype=float)

    def value(given: float | None, name: str) -> float:
        return parameter(name) if given is None else given

    implicit = value(how.implicit_share, "implicit_share")
    explicit_s, hang_s = value(how.explicit_s, "detect_explicit_s"), value(how.hang_timeout_s, "detect_hang_s")
    diagnose = value(how.diagnose_s, "diagnose_s" if how.diagnosis == "automatic" else "diagnose_by_hand_s")
    replace = value(how.replace_s, "replace_s" if how.warm_spares else "reprovision_s")
    init = parameter("init_s") + parameter("init_s_per_chip") * size if how.init_s is None else how.init_s + 0.0 * size
    after = diagnose + replace + init + np.asarray(reload_s, dtype=float)
    kinds = ((1.0 - implicit, explicit_s + after), (implicit, hang_s + after))
    detect = (1.0 - implicit) * explicit_s + implicit * hang_s
    return Downtime(detect + 0.0 * size, diagnose + 0.0 * size, replace + init, reload_s + 0.0 * size, kinds)
