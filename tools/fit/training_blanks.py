"""How far a prediction moves when what a row states is left blank: the spread that a blank adds to a band.

For every kind of blank, rows that state the columns concerned are predicted as they are and without them. The spread is
the 80 % quantile of |ln(without / with)| over 1.28.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gigawatt.physics.training.search.best import Z80
from gigawatt.validation.training import predict

Row = Mapping[str, str]
ROWS = 200  # predicted for each kind, spread evenly over the table
FEWEST = 8


def _has(*names: str) -> Callable[[Row], bool]:
    return lambda row: all(row[name].strip() for name in names)


def _timed(row: Row) -> bool:
    return row["measured_metric"] == "step_time_s"


def _adapters(row: Row) -> bool:
    return "lora" in (row["model"] + row["source"]).lower()


SHAPE = ("model", "layers", "hidden", "ffn", "heads", "kv_heads", "experts", "topk")
# note of the blank -> (columns blanked, rows that can tell)
BLANKS: dict[str, tuple[tuple[str, ...], Callable[[Row], bool]]] = {
    "precision": (("precision",), lambda r: _has("precision")(r) and "A100" not in r["gpu"]),
    "sequence length": (("seq_len",), _has("seq_len")),
    "global batch": (("global_batch",), lambda r: _has("global_batch")(r) and not _timed(r)),
    "micro-batches of a step": (("global_batch",), lambda r: _has("global_batch", "micro_batch")(r) and _timed(r)),
    "micro-batch": (("micro_batch",), _has("micro_batch", "global_batch")),
    "mapping": (("tp", "pp", "vpp", "dp", "cp", "ep"), lambda r: _has("tp", "pp")(r) and int(float(r["tp"])) > 0),
    "chunks of the pipeline": (("vpp",), lambda r: _has("vpp", "pp")(r) and float(r["pp"]) > 1),
    "expert parallelism": (("ep",), _has("ep", "experts")),
    "recompute": (("recompute",), _has("recompute")),
    "number of chips": (("n_gpus", "dp"), lambda r: _has("n_gpus", "tp")(r) and not _timed(r)),
    "shape by size": (SHAPE, lambda r: _has("params_B", "layers")(r) and not r["experts"] and not _adapters(r)),
    "mixture by size": (SHAPE, _has("params_B", "active_params_B", "layers", "experts")),
}


def spreads(rows: Sequence[Row]) -> dict[str, float]:
    """Spread of ln(prediction) by note of a blank."""
    found: dict[str, float] = {}
    for note, (columns, tells) in BLANKS.items():
        whole = [dict(row) | {"measured_value": "", "notes": ""} for row in rows if tells(row)]
        whole = whole[:: max(len(whole) // ROWS, 1)]
        if len(whole) < FEWEST:
            continue
        bare = [row | dict.fromkeys(columns, "") for row in whole]
        pairs = zip(predict(whole), predict(bare), strict=True)
        moved = np.array([abs(np.log((b.predicted or 1.0) / (a.predicted or 1.0))) for a, b in pairs])
        found[note] = float(np.quantile(moved, 0.8) / Z80)
    return found
