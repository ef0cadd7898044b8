"""Fit watts of one kernel to published kernel tables with a power column; writes `calibration/chip-power-kernels.yaml`.

    python tools/fit/fit_power.py --tables FOLDER [--version TEXT] [--rows 4000]

FOLDER holds the unpacked tables of one chip (`gemm/`, `attention/`, `moe/`, `quantize/`, `comm/`, each with engine and release
below), as the Python package named in `SOURCE` ships them. Only fitted figures leave this tool; no measured row does.

Model (all in shares of the power limit; uc, ub are achieved flop/s and bytes/s over the data sheet's peaks; for `comm` the
second is one-way link bytes/s over the scale-up peak):

    D = busy + compute uc^x + memory ub,   P = floor + soft(D, cap - floor),   soft(D, c) = D c / (D^4 + c^4)^(1/4)

`floor` is the chip that waits with its clocks up (what its smallest messages read); `busy` what issuing any kernel adds.

Fitted on log(P) with a soft-L1 loss, rows weighted by the square root of their duration: the meter samples every 100 ms and
lags, so the watts of a short kernel are those of what ran before it. Errors are held out by shape, four folds, beside two
null models fitted on the same rows with the same weights: constant watts, and watts linear in uc and ub.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

Array = NDArray[np.float64]
OUT = Path(__file__).resolve().parents[2] / "src/gigawatt/catalog/data/calibration/chip-power-kernels.yaml"
SOURCE = (
    "measured kernel tables with NVML power in PyPI aisimulate {version} (Apache-2.0, NVIDIA Corporation & Affiliates)"
)
VERSION = "0.13.0.dev202610270000000085"
PEAK = {"bf16": 2250e12, "fp8": 4500e12, "fp4": 9000e12, "any": 2250e12}  # dense, B200
BANDWIDTH, LIMIT_W, CAP = 7.7e12, 1000.0, 0.99  # cap: what long kernels at the limit read, as a share of it
WORDS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8", "nvfp4": "fp4"}
WIDTH = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625}  # bytes of an element with its share of a scale
# The meter under-reads: what the source itself contradicts (neighbouring rows, equal utilisation) is kept out of a fit.
FLOOR_READING_W = 200.0  # below the idle draw with clocks up: no reading
SECOND_PASS_M = 4096  # larger m come from a later pass with too few repetitions for the meter to settle
LONG_S = 50e-6
FLOOR = 0.245  # all-reduce of 128 bytes, the whole time spent waiting: 243.5 to 244.0 W
STREAMING = (
    0.65  # the shipped factor on busy and memory of products (see the record); its cost on this table is recorded
)
LINK = 900e9  # scale-up, one way
FOLDS = 4
NAMES = ("busy", "compute", "x", "memory")
START = np.array([0.1, 1.3, 0.6, 0.6])
LOW = np.array([0.0, 0.01, 0.25, 0.0])
HIGH = np.array([0.6, 20.0, 1.3, 4.0])


@dataclass(frozen=True, slots=True)
class Family:
    """Rows of one operator and precision: utilisations, watts, seconds, shape group and whether the fit may use them."""

    name: str
    precision: str
    engine: str
    compute: Array
    memory: Array
    watts: Array
    seconds: Array
    group: NDArray[np.intp]
    usable: NDArray[np.bool_]
    trusted: bool = True

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Family:
        """The family's rows that a mask or an index picks."""
        columns = (self.compute, self.memory, self.watts, self.seconds, self.group, self.usable)
        return Family(self.name, self.precision, self.engine, *(c[rows] for c in columns), self.trusted)


def predict(parameters: Array, compute: Array, memory: Array) -> Array:
    """Watts over the limit."""
    busy, a, x, b = parameters
    demand = busy + a * compute**x + b * memory + 1e-9
    room = CAP - FLOOR
    return FLOOR + demand * room / (demand**4 + room**4) ** 0.25


def fit(rows: Family) -> Array:
    """Parameters of the model on these rows."""
    weight = np.sqrt(np.sqrt(rows.seconds) / np.mean(np.sqrt(rows.seconds)))
    measured = np.log(rows.watts / LIMIT_W)

    def residual(p: Array) -> Array:
        return (np.log(predict(p, rows.compute, rows.memory)) - measured) * weight

    starts = (START, np.array([0.05, 2.0, 0.4, 1.0]), np.array([0.3, 1.2, 1.2, 1.2]))
    found = [least_squares(residual, s, bounds=(LOW, HIGH), loss="soft_l1", f_scale=0.1) for s in starts]
    return np.asarray(min(found, key=lambda result: result.cost).x)


def linear(rows: Family) -> Callable[[Family], Array]:
    """Watts linear in both utilisations, least squares on relative error with the same weights."""
    weight = np.sqrt(np.sqrt(rows.seconds)) / rows.watts

    def design(of: Family) -> Array:
        return np.column_stack([np.ones(len(of.watts)), of.compute, of.memory])

    coefficients = np.linalg.lstsq(design(rows) * weight[:, None], rows.watts * weight, rcond=None)[0]
    return lambda of: np.asarray(design(of) @ coefficients)


def errors(predicted: Array, rows: Family) -> dict[str, float]:
    """Mean |predicted/measured - 1|: all rows alike, rows beyond 50 us, and weighted by duration."""
    off = np.abs(predicted / rows.watts - 1.0)
    long = rows.seconds > LONG_S
    return {
        "mean": float(off.mean()),
        "median": float(np.median(off)),
        "long": float(off[long].mean()) if long.any() else float("nan"),
        "by_duration": float(np.average(off, weights=rows.seconds)),
    }


def held_out(rows: Family, sample: int, rng: np.random.Generator) -> tuple[dict[str, dict[str, float]], Array]:
    """Errors of model and null models on left-out shapes; and the ratios measured/predicted of the model."""
    fold = rng.integers(0, FOLDS, int(rows.group.max()) + 1)[rows.group]
    found = {name: np.empty(len(rows.watts)) for name in ("model", "constant", "linear")}
    for f in range(FOLDS):
        train, test = rows.take(fold != f), fold == f
        less = train.take(rng.permutation(len(train.watts))[:sample])
        left_out = rows.take(test)
        found["model"][test] = LIMIT_W * predict(fit(less), left_out.compute, left_out.memory)
        order = np.argsort(less.watts)
        half = np.searchsorted(np.cumsum(np.sqrt(less.seconds[order])), 0.5 * np.sqrt(less.seconds).sum())
        found["constant"][test] = less.watts[order][half]
        found["linear"][test] = linear(less)(left_out)
    return {name: errors(value, rows) for name, value in found.items()}, rows.watts / found["model"]


def weighted_quantile(values: Array, weights: Array, shares: tuple[float, ...]) -> list[float]:
    """Quantiles of weighted values."""
    order = np.argsort(values)
    place = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    return [float(np.interp(share, place, values[order])) for share in shares]


def table(folder: Path, pattern: str) -> tuple[pl.DataFrame, str]:
    """The newest table of a kind that has watts, its rows with a reading, and the engine and release it names."""
    path = [p for p in sorted(folder.glob(pattern)) if "power" in pl.read_parquet_schema(p)][-1]
    frame = pl.read_parquet(path).filter((pl.col("power") > FLOOR_READING_W) & (pl.col("power_limit") > 0))
    first = frame.row(0, named=True)
    return frame, f"{first['framework']} {first['version']}"


def columns(frame: pl.DataFrame, *names: str) -> list[Array]:
    """Columns as float64 arrays."""
    return [frame[name].cast(pl.Float64).to_numpy() for name in names]


def family(
    name: str,
    precision: str,
    engine: str,
    frame: pl.DataFrame,
    work: tuple[Array, Array],
    shape: list[str],
    usable: NDArray[np.bool_],
    trusted: bool = True,
) -> Family:
    """A family from a frame and its (flops, bytes) per row."""
    latency_ms, watts = columns(frame, "latency", "power")
    seconds = latency_ms / 1e3
    group = frame.select(pl.struct(shape).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    flops, moved = work
    compute = np.clip(flops / seconds / PEAK[precision], 0.0, 1.2)
    memory = np.clip(moved / seconds / BANDWIDTH, 0.0, 1.2)
    return Family(name, precision, engine, compute, memory, watts, seconds, group.astype(np.intp), usable, trusted)


def gemm(folder: Path) -> Iterator[Family]:
    """Matrix products by precision; n, k below 256 are launch-bound oddities."""
    frame, engine = table(folder, "gemm/trtllm/*/gemm_perf.parquet")
    for word in ("bfloat16", "fp8", "nvfp4", "fp8_block"):
        part = frame.filter((pl.col("gemm_dtype") == word) & (pl.col("n") >= 256) & (pl.col("k") >= 256))
        m, n, k = columns(part, "m", "n", "k")
        width = WIDTH[WORDS[word]]
        work = 2.0 * m * n * k, width * (n * k + m * k) + 2.0 * m * n
        name = "gemm-block" if word == "fp8_block" else "gemm"
        trusted = word in ("bfloat16", "fp8")
        yield family(name, WORDS[word], engine, part, work, ["n", "k"], m <= SECOND_PASS_M, trusted)


def attention(folder: Path) -> Iterator[Family]:
    """Attention over prompts (by arithmetic precision) and over the cache (by the cache's precision)."""
    shape = ["num_heads", "num_key_value_heads", "head_dim"]
    for engine_folder in ("trtllm", "vllm"):
        frame, engine = table(folder, f"attention/{engine_folder}/*/context_attention_perf.parquet")
        for word in ("bfloat16", "fp8"):
            part = frame.filter(pl.col("attn_dtype") == word)
            if part.height < 1000:
                continue
            b, s, h, g, d, w = columns(part, "batch_size", "isl", *shape, "window_size")
            window = np.where(w > 0, np.minimum(w, s), s)
            pairs = window * s - window * (window - 1) / 2
            width = WIDTH[WORDS[word]]
            work = 4.0 * b * h * d * pairs, b * s * d * (2 * h + 2 * g) * width
            yield family(f"prefill-{engine_folder}", WORDS[word], engine, part, work, shape, np.ones(len(b), bool))
        frame, engine = table(folder, f"attention/{engine_folder}/*/generation_attention_perf.parquet")
        for word in ("bfloat16", "fp8"):
            part = frame.filter(pl.col("kv_cache_dtype") == word)
            b, s, h, g, d, w = columns(part, "batch_size", "step", *shape, "window_size")
            length = np.where(w > 0, np.minimum(w, s), s)
            work = 4.0 * b * h * d * length, 2.0 * b * g * d * length * WIDTH[WORDS[word]]
            yield family(
                f"decode-{engine_folder}", WORDS[word], engine, part, work, shape, np.ones(len(b), bool), False
            )


def experts(folder: Path) -> Iterator[Family]:
    """Grouped expert products with balanced routing (what one rank holds is then known)."""
    shape = ["hidden_size", "inter_size", "num_experts"]
    for engine_folder in ("trtllm", "vllm"):
        frame, engine = table(folder, f"moe/{engine_folder}/*/moe_perf.parquet")
        frame = frame.filter(pl.col("distribution") == "balanced")
        for word in ("bfloat16", "fp8", "nvfp4", "fp8_block"):
            part = frame.filter(pl.col("moe_dtype") == word)
            if part.height < 1000:
                continue
            t, h, i, k, e, tp, ep = columns(
                part, "num_tokens", *shape[:2], "topk", "num_experts", "moe_tp_size", "moe_ep_size"
            )
            routed, width = t * k / ep, WIDTH[WORDS[word]]
            active = e / ep * -np.expm1(t * k * np.log1p(-1.0 / e))
            work = 6.0 * routed * h * i / tp, (3.0 * active * h * i / tp + routed * h) * width + 2.0 * routed * h
            name = f"moe-{engine_folder}" + ("-block" if word == "fp8_block" else "")
            yield family(name, WORDS[word], engine, part, work, shape, np.ones(len(t), bool), engine_folder == "vllm")


def streaming(folder: Path) -> Iterator[Family]:
    """Element-wise kernels: quantising a matrix reads two bytes of an element and writes one."""
    frame, engine = table(folder, "quantize/trtllm/*/scale_matrix_perf.parquet")
    m, k = columns(frame, "m", "k")
    work = np.zeros_like(m), 3.0 * m * k
    yield family("stream", "any", engine, frame, work, ["m", "k"], np.ones(len(m), bool))


def messages(folder: Path) -> Iterator[Family]:
    """All-reduce over the scale-up links: a ring moves 2 (g - 1) / g of the message through each chip."""
    frame, engine = table(folder, "comm/trtllm/*/custom_allreduce_perf.parquet")
    g, size = columns(frame, "num_gpus", "message_size")
    work = np.zeros_like(g), 2.0 * (g - 1.0) / g * size * BANDWIDTH / LINK
    yield family("comm", "any", engine, frame, work, ["message_size"], np.ones(len(g), bool))


def report(rows: Family, sample: int) -> tuple[str, str]:
    """Fit one family; return its row of the record, and its line of the record's summary of errors."""
    rng = np.random.default_rng(7)
    good = rows.take(rows.usable)
    scores, ratio = held_out(good, sample, rng)
    parameters = fit(good.take(rng.permutation(len(good.watts))[: 2 * sample]))
    parameters[1] *= bool(rows.compute.any())  # no arithmetic: not identified
    everything = errors(LIMIT_W * predict(parameters, rows.compute, rows.memory), rows)
    scale = np.array([STREAMING, 1.0, 1.0, STREAMING]) if rows.name == "gemm" else np.ones(4)
    shipped = errors(LIMIT_W * predict(parameters * scale, good.compute, good.memory), good)
    low, high = weighted_quantile(ratio, np.sqrt(good.seconds), (0.1, 0.9))
    values = ", ".join(f"{name}: {value:.3g}" for name, value in zip(NAMES, parameters, strict=True))
    held = "; ".join(f"{name} {' '.join(f'{100 * v:.1f}' for v in score.values())}" for name, score in scores.items())
    print(
        f"{rows.name} {rows.precision} n={len(good.watts)}/{len(rows.watts)} {values} | {held} | all {everything['mean']:.3f}"
    )
    lines = [
        f'    - {{family: {rows.name}, precision: {rows.precision}, engine: "{rows.engine}", rows: {len(good.watts)},'
    ]
    lines.append(f"       {values}, low: {low:.3f}, high: {high:.3f}, trusted: {str(rows.trusted).lower()},")
    for name, score in {**scores, "shipped": shipped}.items():
        lines.append(f"       {name}: {{{', '.join(f'{k}: {v:.3f}' for k, v in score.items())}}},")
    lines.append(
        f"       all_rows: {{rows: {len(rows.watts)}, {', '.join(f'{k}: {v:.3f}' for k, v in everything.items())}}}}}"
    )
    model, constant, line = (scores[name] for name in ("model", "constant", "linear"))
    summary = (
        f"  {rows.name.replace('-', '_')}_{rows.precision}_shape_left_out: {{by_duration: {model['by_duration']:.3f}, "
        f"mean: {model['mean']:.3f}, constant_watts: {constant['mean']:.3f}, linear_watts: {line['mean']:.3f}}}"
    )
    return "\n".join(lines), summary


def main() -> None:
    """Read the tables, fit every family, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", required=True, type=Path, help="folder of the chip's unpacked tables")
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--rows", type=int, default=4000, help="rows of a fold that a fit sees")
    parser.add_argument("--dry", action="store_true", help="print the errors, write nothing")
    options = parser.parse_args()
    every = [row for kind in (gemm, attention, experts, streaming, messages) for row in kind(options.tables)]
    told = [report(row, options.rows) for row in every]
    if options.dry:
        return
    total = sum(int(row.usable.sum()) for row in every)
    source = SOURCE.format(version=options.version)
    summary = "\n".join(line for row, (_, line) in zip(every, told, strict=True) if row.trusted)
    head = HEADER.format(source=source, rows=total, cap=CAP, streaming=STREAMING, errors=summary)
    OUT.write_text(head + "\n".join(body for body, _ in told) + "\n", encoding="utf-8")


HEADER = """id: chip-power-kernels
name: "Watts of one kernel from its utilisation, by operator and precision"
kind: chip
source: "{source}"
source_url: https://github.com/ai-dynamo/aisimulate
as_of: "2026-10"
fitted_to: "NVML watts of kernel loops on B200 SXM at 1,000 W; log residuals, soft L1, weighted by the root of duration"
rows: {rows}
release: "TensorRT-LLM 1.3.0rc20, vLLM 0.22.0"
# Held out by shape, four folds: mean error by duration and of all rows alike, and the latter of two null models. Weighted by
# duration a constant is as good for bf16 GEMM, as long kernels all sit at the limit. More, and fits not trusted: tables.fits.
error:
{errors}

# P / limit = floor + soft(busy + compute uc^x + memory ub, cap - floor), soft(D, c) = D c / (D^4 + c^4)^(1/4)
parameters:
  cap: {{value: {cap}, note: "long kernels at the limit read 985 to 995 W of 1,000 W"}}
  band_untrusted: {{value: 1.3, note: "assumed: bands of fits on under-read watts are stretched to this power"}}
  campaign_ratio: {{value: 1.40, note: "933 W over 667 W, see streaming; bands of products reach its root to each side"}}
  band_lent: {{value: 2.0, note: "assumed: the same for a fit lent to another chip or precision"}}

tables:
  # The draw with clocks up and nothing to do, as a share of the limit: lowest 1 % of GEMM readings (H200 131 W of 700 W, GB200
  # 226 W of 1,200 W), 128-byte all-reduce (B200 244 W of 1,000 W). Others: assumed, between them.
  floors: {{h100-sxm: 0.187, h200-sxm: 0.187, b200-sxm: 0.245, gb200: 0.188, default: 0.2}}
  measured_chip: b200-sxm
  # Factor on busy and memory of a `gemm` fit. Two campaigns of the same vendor read streamed bf16 weights (m of 2 to 8, 5.4 to
  # 5.9 TB/s) at 933 W (this fit: 1) and 667 W (vLLM 0.22: 0.42) on B200; their geometric mean is also what serving reads.
  # H200 from its 529 W of 700 W (vLLM 0.22); GB200 the geometric mean of its own 680 W (0.38) and B200; others assumed.
  streaming: {{b200-sxm: {streaming}, gb200: 0.5, h200-sxm: 0.56, h100-sxm: 0.56, default: 0.6}}
  # Which fit serves an operator. Watts of fp4 and block-scaled fp8 products are under-read (neighbouring rows contradict each
  # other by a factor of 3), so the fp8 fit serves them, as a share of their own peak; tests show what that costs.
  serves:
    gemm: {{bf16: [gemm, bf16], fp8: [gemm, fp8], fp4: [gemm, fp8], int8: [gemm, fp8]}}
    prefill: {{bf16: [prefill-trtllm, bf16], fp8: [prefill-trtllm, fp8]}}
    decode: {{bf16: [decode-trtllm, bf16], fp8: [decode-trtllm, fp8]}}
    moe: {{bf16: [moe-trtllm, bf16], fp8: [moe-trtllm, fp8], fp4: [moe-trtllm, fp4]}}
    stream: {{any: [stream, any]}}
    comm: {{any: [comm, any]}}
  # low, high: 80 % band of measured over predicted, held out, weighted by the root of duration. trusted: the meter is.
  # shipped, all_rows: in sample; with the streaming factor on the rows of the fit, and without it on every row with a reading.
  fits:
"""

if __name__ == "__main__":
    main()
