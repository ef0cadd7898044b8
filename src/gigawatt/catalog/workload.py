"""Records of what runs and of what was fitted: models, calibrations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gigawatt.catalog.quantity import Count, Strict
from gigawatt.catalog.record import Record

ModelKind = Literal[
    "llm", "moe", "hybrid", "state-space", "diffusion-image", "diffusion-video", "vlm", "speech", "encoder", "omni"
]


class Model(Record):
    """A model as published: its configuration in the field names of Hugging Face `config.json`.

    `config` is what `physics.workload.from_config` reads; `aliases` are other names under which it is written;
    `assumed_fields` names what of `config` is not published or was not checked.
    """

    family: str
    model_kind: ModelKind
    config: dict[str, Any]
    parameters_published: Count
    active_parameters_published: Count | None = None
    max_positions: int = Field(0, ge=0)
    precisions: tuple[str, ...] = ("bf16",)
    license: str = ""
    aliases: tuple[str, ...] = ()
    assumed_fields: tuple[str, ...] = ()


class Fitted(Strict):
    """One fitted constant: `sigma` is its uncertainty (multiplicative where `unit` says 'x/')."""

    value: float
    sigma: float | None = None
    unit: str = ""
    note: str = ""


class Calibration(Record):
    """Fitted constants: what they were fitted to, on how many rows, with which error, at which software release.

    `groups` holds one sigma for each group of results (a latent log-factor for each); `tables` what is no single number.
    """

    calibrates: str = ""
    fitted_to: str
    rows: int = Field(0, ge=0)
    error: Any = None
    release: str = ""
    parameters: dict[str, Fitted] = {}
    groups: dict[str, Any] = {}
    tables: dict[str, Any] = {}
