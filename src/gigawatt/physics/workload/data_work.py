"""CPU work of preparing training text: read the web, keep what is good, drop what repeats, turn it into tokens.

    core-seconds of a stage = units that enter it / units that one core does in a second
    units of a stage        = documents, or bytes of text; what leaves is what enters times the share kept

Rates and shares are the catalog's calibration `data-work`, each with its source and spread; stages run in the order given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog.workload import Calibration
from gigawatt.core.errors import InputError, Problem, unknown_name

Floats = NDArray[np.float64]
# Stage -> what one core does so many of in a second; the last one's output is tokens.
STAGES: dict[str, str] = {
    "filter": "document",
    "classify": "document",
    "exact_dedup": "byte",
    "minhash": "document",
    "tokenize": "byte",
}


@dataclass(frozen=True, slots=True)
class DataWork:
    """One row a stage, in order; all numbers have shape (stages, points).

    `core_s` is the processor time and `core_s_low`, `core_s_high` its band (one sigma of the rate's logarithm);
    `bytes_read` and `bytes_written` of text pass storage.
    """

    stage: NDArray[np.str_]
    documents_in: Floats
    documents_out: Floats
    bytes_read: Floats
    bytes_written: Floats
    core_s: Floats
    core_s_low: Floats
    core_s_high: Floats

    @property
    def total_core_s(self) -> Floats:
        """Processor time of all stages, shape (points,)."""
        return np.asarray(self.core_s.sum(axis=0))

    @property
    def total_bytes(self) -> Floats:
        """Bytes read and written over all stages, shape (points,)."""
        return np.asarray((self.bytes_read + self.bytes_written).sum(axis=0))


def data_work(tokens: Any, calibration: Calibration, stages: Sequence[str] = tuple(STAGES)) -> DataWork:
    """The work behind `tokens` tokens (number or array of points) that leave the last stage.

    Documents are counted backwards: each stage must be fed what the following one needs, over the share that it keeps.

    Raises:
        InputError: fewer than no tokens, no stage, an unknown one, or constants that the calibration does not have.
    """
    wanted = np.atleast_1d(np.asarray(tokens, dtype=np.float64))
    constants = calibration.parameters
    problems = [unknown_name("stage of data processing", name, STAGES) for name in stages if name not in STAGES]
    if np.any(wanted < 0):
        problems.append(Problem("wrong_value", "the tokens wanted cannot be fewer than none"))
    if not stages:
        problems.append(Problem("wrong_value", "no stage of data processing was named"))
    needed = ["bytes_per_token", "bytes_per_document", "token_bytes"]
    needed += [key for name in stages if name in STAGES for key in (f"{name}_rate", f"{name}_kept")]
    missing = [key for key in needed if key not in constants]
    if missing:
        problems.append(
            Problem("missing_constant", f"calibration '{calibration.id}' has no {', '.join(dict.fromkeys(missing))}")
        )
    if problems:
        raise InputError(problems)
    size = constants["bytes_per_document"].value
    documents = wanted * constants["bytes_per_token"].value / size
    rows: list[tuple[Floats, ...]] = []
    for name in reversed(stages):
        rate, kept = constants[f"{name}_rate"], constants[f"{name}_kept"].value
        entering = documents / kept
        units = entering * size if STAGES[name] == "byte" else entering
        core_s = units / rate.value
        spread = float(np.exp(rate.sigma or 0.0))
        written = wanted * constants["token_bytes"].value if name == "tokenize" else documents * size
        rows.append((entering, documents, entering * size, written, core_s, core_s / spread, core_s * spread))
        documents = entering
    columns = [np.array(column) for column in zip(*reversed(rows), strict=True)]
    return DataWork(np.array(list(stages), dtype=np.str_), *columns)
