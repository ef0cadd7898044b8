"""One pass over a batch of inputs as an engine runs it: eager kernels beside the host's own time.

    s = host + host per request x n + hypot(slow kernels, calls launch) / maturity

The form and its constants are those of a prompt's prefill in `engine.step`; `engine` says whose. A captured pass (one graph)
has no launches beside the kernels' own. A client waits besides for the router, the tokeniser and the way back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.serving.engine.calibration import ENGINES, calibration, sigmas
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.services.work import Work, eager_seconds


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine adds to kernels: host seconds a pass and a request, a launch, its slow-down of prompts and of decoding.

    `api_s` and `token_s` (of each input token) are what a client waits for outside the chip.
    """

    name: str
    host_s: float
    host_per_request_s: float
    launch_s: float
    prefill_slowdown: float
    decode_slowdown: float
    api_s: float
    token_s: float

    def outside_s(self, tokens: float = 0.0) -> float:
        """Seconds of a request of so many input tokens outside the chip: they add to latency and take no rate."""
        return self.api_s + self.token_s * tokens


def engine_named(name: str) -> Engine:
    """The constants of a serving engine.

    Raises:
        InputError: no such engine.
    """
    if name not in ENGINES:
        raise InputError(unknown_name("engine", name, ENGINES))
    c = calibration()
    return Engine(
        name,
        c[f"host_ms.{name}"] * 1e-3,
        c[f"host_per_request_us.{name}"] * 1e-6,
        c[f"eager_kernel_us.{name}"] * 1e-6,
        c[f"prefill_slowdown.{name}"],
        c[f"decode_slowdown.{name}"],
        c[f"api_ms.{name}"] * 1e-3,
        c["token_us"] * 1e-6,
    )


def pass_seconds(found: Work, batch: Floats, engine: Engine, captured: bool = False, maturity: float = 1.0) -> Floats:
    """Seconds of one pass over `batch` inputs."""
    kernels = found.kernel_s * engine.prefill_slowdown
    running = kernels if captured else eager_seconds(kernels, found.calls, engine.launch_s)
    return np.asarray((engine.host_s + engine.host_per_request_s * batch + running) / maturity)


def prompt_half_width() -> float:
    """80 % half-width of the logarithm of a prompt's time on a chip that the fit of serving points had not seen."""
    return sigmas()["agg.ttft_ms.chip"]
