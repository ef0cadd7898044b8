"""Records of what runs and of what was fitted: models, calibrations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gigawatt.catalog.quantity import Count, Strict
from gigawatt.catalog.record import Record

ModelKind = Literal[
    "llm",
    "moe",
    "hybrid",
    "state-space",
    "diffusion-image",
    "diffusion-video",
    "vlm",
    "speech",
    "encoder",
    "omni",
    "vla",
    "autoencoder",
]


class Model(Record):
    """A model as published: its configuration in the field names of Hugging Face `config.json`.

    `config` is what `physics.workload.from_config` reads; `aliases` are other names under which it is written;
    `assumed_fields` names what of `config` is not published or was not checked; `published_precision` is how the
    weights of the checkpoint at `source_url` are stored (of a mixture of experts: its experts).
    """

    family: str
    model_kind: ModelKind
    config: dict[str, Any]
    parameters_published: Count
    active_parameters_published: Count | None = None
    max_positions: int = Field(0, ge=0)
    precisions: tuple[str, ...] = ("bf16",)
    published_precision: Literal["bf16", "fp8", "fp4"] = "bf16"
    license: str = ""
    aliases: tuple[str, ...] = ()
    assumed_fields: tuple[str, ...] = ()


class Fitted(Strict):
    """One fitted constant: `sigma` is its uncertainty, of its logarithm unless `note` says otherwise."""

    value: float
    sigma: float | None = None
    unit: str = ""
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        """A constant may be written as its number alone."""
        return {"value": data} if isinstance(data, (int, float)) and not isinstance(data, bool) else data


class Calibration(Record):
    """Fitted constants: what they were fitted to, on how many rows, with which error, at which software release.

    `groups` holds one sigma for each group of results (a latent log-factor each); `tables` what is no single number.
    """

    kind: str = ""  # of the calibration (serving, fabric, chip, ...), not of a source
    fitted_to: str
    rows: int = Field(0, ge=0)
    error: Any = None
    release: str = ""
    parameters: dict[str, Fitted] = Field(default_factory=dict)
    groups: dict[str, Any] = Field(default_factory=dict)
    tables: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return value
