"""The measured tables: what their columns mean, which of them are answers, and where they are found.

Answers and free-text notes are taken out of every row before a predictor sees it, so that none can be read by mistake.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.validation.base import number

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class TableKind:
    """One layout of measured table.

    `signature` columns identify it; `id_column` names the row; either `metric_column` with `value_column`
    (long form) or `metrics` (metric -> answer column, wide form); `hidden` columns are answers or notes and never
    reach a predictor.
    """

    kind: str
    file: str
    signature: tuple[str, ...]
    id_column: str = "id"
    metric_column: str = ""
    value_column: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def measured(self, rows: Sequence[Row]) -> dict[tuple[str, str], float | None]:
        """(id, metric) -> measured value, None where blank."""
        if self.metric_column:
            return {(r[self.id_column], r[self.metric_column]): number(r.get(self.value_column)) for r in rows}
        return {
            (r[self.id_column], metric): number(r.get(column)) for r in rows for metric, column in self.metrics.items()
        }

    def blind(self, rows: Sequence[Row]) -> list[Row]:
        """The rows without their answers."""
        return [{key: ("" if key in self.hidden else value) for key, value in row.items()} for row in rows]


LAYOUTS: tuple[TableKind, ...] = (
    TableKind(
        "training",
        "train_truth.csv",
        ("measured_metric", "measured_value", "seq_len"),
        metric_column="measured_metric",
        value_column="measured_value",
        hidden=("measured_value", "notes"),
    ),
    TableKind(
        "serving",
        "serving_points.csv",
        ("silicon_ttft_ms", "silicon_tpot_ms"),
        metrics={"ttft_ms": "silicon_ttft_ms", "tpot_ms": "silicon_tpot_ms"},
        hidden=("silicon_ttft_ms", "silicon_tpot_ms"),
    ),
    TableKind(
        "serving",
        "infer_truth.csv",
        ("concurrency_or_rate", "metric", "value"),
        metric_column="metric",
        value_column="value",
        hidden=("value", "power_w", "notes"),
    ),
    TableKind(
        "network",
        "net_truth.csv",
        ("collective", "nbytes", "metric", "value"),
        metric_column="metric",
        value_column="value",
        hidden=("value", "notes"),
    ),
    TableKind(
        "power",
        "power_serving_mlenergy.csv",
        ("w_per_gpu", "median_itl_ms"),
        metrics={
            "gpu_power_w": "w_per_gpu",
            "itl_p50_ms": "median_itl_ms",
            "output_tok_s": "output_throughput_tokens_per_sec",
        },
        hidden=(
            "avg_power_watts",
            "w_per_gpu",
            "output_throughput_tokens_per_sec",
            "tok_s_per_gpu",
            "energy_per_token_joules",
            "median_itl_ms",
            "p99_itl_ms",
        ),
    ),
    TableKind(
        "power",
        "energy_truth.csv",
        ("config", "metric", "value", "power_w"),
        metric_column="metric",
        value_column="value",
        hidden=("value", "power_w", "notes"),
    ),
    TableKind(
        "power",
        "power_truth.csv",
        ("subject", "workload", "metric", "value"),
        metric_column="metric",
        value_column="value",
        hidden=("value", "ratio", "note"),
    ),
    TableKind(
        "flops",
        "flop_oracle.csv",
        ("config_fields", "params", "fwd_flops"),
        id_column="model",
        metrics={"params": "params", "fwd_flops": "fwd_flops"},
        hidden=("params", "fwd_flops", "flops_by_op", "wall_s", "notes"),
    ),
    TableKind(
        "kernels",
        "kernel_points.csv",
        ("chip", "family", "precision", "engine", "shape", "time_us"),
        metrics={"time_us": "time_us"},
        hidden=("time_us",),
    ),
    TableKind(
        "economics",
        "economics_truth.csv",
        ("class", "metric", "value", "abs_tol", "rel_tol"),
        metric_column="metric",
        value_column="value",
        hidden=("value",),
    ),
)
KINDS = tuple(dict.fromkeys(layout.kind for layout in LAYOUTS))


def read_rows(path: Path) -> list[Row]:
    """Rows of a CSV file; lines that begin with '#' are comments.

    Raises:
        InputError: missing, empty or not text.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [dict(row) for row in csv.DictReader(line for line in stream if not line.startswith("#"))]
    except FileNotFoundError:
        raise InputError(Problem("no_such_file", f"there is no file '{path}'", Where(str(path)))) from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(Problem("unreadable", f"'{path}' is not a CSV table: {error}", Where(str(path)))) from None


def layout_of(kind: str, rows: Sequence[Row], path: Path) -> TableKind:
    """The layout whose signature columns the table has.

    Raises:
        InputError: no layout of this kind fits the header.
    """
    header = set(rows[0]) if rows else set()
    for layout in LAYOUTS:
        if layout.kind == kind and set(layout.signature) <= header:
            return layout
    wanted = " or ".join(f"{x.file} ({', '.join(x.signature)})" for x in LAYOUTS if x.kind == kind)
    raise InputError(
        Problem(
            "wrong_table",
            f"'{path}' is no table of kind '{kind}'",
            Where(str(path), 1, 1),
            (f"its header needs the columns of {wanted}",),
        )
    )


def find_tables(kind: str) -> list[Path]:
    """Tables of a kind in the folder that GIGAWATT_TRUTH names, else the packaged open-licence ones."""
    named = os.environ.get("GIGAWATT_TRUTH")
    if named:
        folders = [Path(named) / part for part in ("truth", "facts")]
        found = [
            folder / layout.file
            for layout in LAYOUTS
            if layout.kind == kind
            for folder in folders
            if (folder / layout.file).is_file()
        ]
        if kind == "training":
            single = Path(named) / "truth" / "train_truth_single_node.csv"
            found += [single] if single.is_file() else []
        if found:
            return found
    packaged = resources.files("gigawatt.validation") / "data"
    return [
        Path(str(packaged / layout.file))
        for layout in LAYOUTS
        if layout.kind == kind and (packaged / layout.file).is_file()
    ]
