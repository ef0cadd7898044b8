"""The constants of a training framework's allocator: catalog data (`calibration/training-memory.yaml`), looked up here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

from gigawatt.catalog import Catalog

CALIBRATION_ID = "training-memory"


@dataclass(frozen=True, slots=True)
class MemoryConstants:
    """Fitted and assumed constants: `workspace_bytes` and `workspace_rows` (values of the hidden width a token) of an
    allocated peak that no tensor explains; `reserved_share` of it that the allocator holds beyond, and `context_bytes`
    of driver, libraries and their buffers."""

    workspace_bytes: float
    workspace_rows: float
    reserved_share: float
    context_bytes: float


@lru_cache(maxsize=1)
def load_constants() -> MemoryConstants:
    """The packaged constants."""
    found = Catalog.load().get("calibration", CALIBRATION_ID).parameters
    return MemoryConstants(*(float(found[f.name].value) for f in fields(MemoryConstants)))
