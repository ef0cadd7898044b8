"""What a launch sets, in plain words that belong to no engine; made by hand or from a row of the search.

A pool is one kind of worker: `chips` = attention_dp x tensor x pipeline. Its experts are spread `expert_parallel` ways over
the chips of a stage and cut stage / expert_parallel ways. Counts of requests are of one replica, over all its ranks; the
token budget is of one step of one rank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving.engine.calibration import sigmas
from gigawatt.physics.serving.engine.deployment import Spec, kv_precision
from gigawatt.physics.workload import from_config

TOKEN_BUDGET = 8192  # tokens of a step: what the steady state batches prompts to (physics.serving.steady)
MEMORY_SHARE = 0.9  # of a chip's memory: what the memory model takes (physics.serving.engine.memory)
MARGIN_TOKENS = 64  # beside prompt and answer: what templates of a chat add
MOST_WORKERS = 16  # of a pool, where no fleet says how many
FIT = 0.05  # of prefill capacity that whole workers may lack or waste
SUFFIXES = {"fp8": ("FP8",), "fp4": ("NVFP4", "FP4", "MXFP4")}  # of repositories that hold a model quantised
HUB = "https://huggingface.co/"
_WORD = re.compile(r"^(pp|dp|tp|ep)([1-9]\d*)$")


@dataclass(frozen=True, slots=True)
class Pool:
    """One kind of worker. `max_requests` 0 leaves the engine its default."""

    chips: int
    attention_dp: int = 1
    expert_parallel: int = 1
    pipeline: int = 1
    replicas: int = 1
    max_requests: int = 0
    token_budget: int = TOKEN_BUDGET

    @property
    def stage(self) -> int:
        """Chips of one pipeline stage."""
        return self.chips // self.pipeline

    @property
    def tensor(self) -> int:
        """Chips that share an attention rank."""
        return self.stage // self.attention_dp

    @property
    def rank_requests(self) -> int:
        """Requests of one attention rank at once."""
        return math.ceil(self.max_requests / self.attention_dp)

    @property
    def name(self) -> str:
        """As engineers write it: tp8, dp8-ep8, pp2-tp8."""
        pp, dp, tp = f"pp{self.pipeline}", f"dp{self.attention_dp}", f"tp{self.tensor}"
        words = [pp] * (self.pipeline > 1) + [dp] * (self.attention_dp > 1)
        words += [tp] * (self.tensor > 1 or self.attention_dp == 1)
        return "-".join([*words, f"ep{self.expert_parallel}"] if self.expert_parallel > 1 else words)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a launch must know of a model. `repository` is the checkpoint's name on Hugging Face, blank where none is known;
    `published` how its weights are stored; `others` further repositories of the same shape; `heads` the greatest number
    that divides the head counts of all its layers; `kind` that of the catalog.
    """

    id: str
    repository: str = ""
    published: str = "bf16"
    experts: int = 0
    heads: int = 0
    layers: int = 0
    max_positions: int = 0
    mtp_layers: int = 0
    others: tuple[str, ...] = ()
    kind: str = "llm"

    def checkpoint(self, precision: str) -> str:
        """The repository whose weights are stored in `precision`: the model's own, or its name with that suffix."""
        if precision == self.published:
            return self.repository
        name = self.repository.rpartition("/")[2]
        wanted = {f"{name}-{suffix}" for suffix in SUFFIXES.get(precision, ())}
        return next((other for other in self.others if name and other.rpartition("/")[2] in wanted), "")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it runs: the platform's name, its chip's software and number formats, chips of a node and of a scale-up domain."""

    name: str
    stack: str = "cuda"
    formats: tuple[str, ...] = ("bf16", "fp8")
    node_chips: int = 8
    domain_chips: int = 8


@dataclass(frozen=True, slots=True)
class Goal:
    """What it was chosen for: tokens of a request, and the service level (seconds; infinite: none)."""

    input_tokens: float
    output_tokens: float
    ttft_s: float = math.inf
    tpot_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model predicts, with the ends of 80 % ranges as factors (low, high)."""

    ttft_s: float
    tpot_s: float
    tokens_out_per_s_per_chip: float
    ttft_range: tuple[float, float] = (1.0, 1.0)
    tpot_range: tuple[float, float] = (1.0, 1.0)
    tokens_range: tuple[float, float] = (1.0, 1.0)
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """A chosen configuration. With `prefill` the pools are apart and `serve` decodes.

    `engine` is what a Dynamo graph runs inside. `draft_tokens` are drafted in each step, by the model's own multi-token
    prediction, or by `draft_model` (EAGLE-3). `offload_bytes` is host memory for old caches of one replica that
    takes prompts.
    """

    model: ModelFacts
    machine: Machine
    serve: Pool
    prefill: Pool | None = None
    engine: str = "vllm"
    precision: str = "fp8"
    kv_precision: str = "bf16"
    context_tokens: int = 0
    prefix_caching: bool = True
    draft_tokens: int = 0
    draft_model: str = ""
    cuda_graphs: bool = True
    offload_bytes: float = 0.0
    connector: str = "nixl"
    memory_share: float = MEMORY_SHARE
    goal: Goal | None = None
    predicted: Predicted | None = None

    @property
    def pools(self) -> tuple[tuple[str, Pool], ...]:
        """Role and pool: serve alone, or prefill and decode."""
        return (("serve", self.serve),) if self.prefill is None else (("prefill", self.prefill), ("decode", self.serve))

    @property
    def chips(self) -> int:
        """All chips of the launch."""
        return sum(pool.chips * pool.replicas for _, pool in self.pools)


def parse_layout(name: str) -> Pool:
    """A pool from the name of its layout.

    >>> parse_layout("dp16-ep16").tensor, parse_layout("tp8-ep8").expert_parallel
    (1, 8)

    Raises:
        InputError: no name of a layout.
    """
    words = [_WORD.match(word) for word in name.strip().split("-")]
    sizes = {word[1]: int(word[2]) for word in words if word}
    if not all(words) or len(sizes) < len(words):
        known = ("for example tp8, tp8-ep8, dp16-ep16, pp2-tp8",)
        raise InputError(Problem("unknown_layout", f"'{name}' is no layout", None, known))
    pp, dp, tp, ep = (sizes.get(kind, 1) for kind in ("pp", "dp", "tp", "ep"))
    return Pool(chips=pp * dp * tp, attention_dp=dp, expert_parallel=ep, pipeline=pp)


def parse_mapping(name: str) -> tuple[Pool | None, Pool]:
    """Prefill pool (None where prompts share the chips) and serving pool of a row's mapping.

    >>> [pool and pool.name for pool in parse_mapping("tp4 prefill + dp8-ep8 decode")]
    ['tp4', 'dp8-ep8']
    """
    found = re.match(r"^(\S+) prefill \+ (\S+) decode$", name.strip())
    return (parse_layout(found[1]), parse_layout(found[2])) if found else (None, parse_layout(name))


def model_facts(model_id: str, catalog: Catalog | None = None) -> ModelFacts:
    """The facts of a model of the catalog; its repository is where its record's values come from."""
    record = (catalog or Catalog.load()).get("model", model_id)
    arch = from_config(record.id, record.config)
    url = str(record.source_url or "")
    groups = arch.groups
    experts = max((g.feed_forward.experts for g in groups if g.feed_forward is not None), default=0)
    return ModelFacts(
        id=record.id,
        repository=url.removeprefix(HUB).strip("/") if url.startswith(HUB) else "",
        published=record.published_precision,
        experts=int(experts),
        heads=math.gcd(*(int(g.mixer.heads) for g in groups if g.mixer is not None)),
        layers=int(sum(g.count for g in groups)),
        max_positions=int(record.max_positions or arch.max_positions),
        mtp_layers=int(arch.mtp_layers),
        kind=str(record.model_kind),
        others=tuple(alias for alias in record.aliases if re.match(r"^[\w.-]+/[\w.-]+$", alias)),
    )


def machine_of(platform: str, catalog: Catalog | None = None) -> Machine:
    """The facts of a platform of the catalog, or of an accelerator with its scale-up domain as the node."""
    found = catalog or Catalog.load()
    if platform in found.ids("platform"):
        record = found.get("platform", platform)
        chip = chip_from_record(found.get("accelerator", record.accelerator))
        return Machine(
            platform, chip.stack, tuple(chip.peak_flops), int(record.chips_per_node), int(record.scaleup_domain)
        )
    chip = chip_from_record(found.get("accelerator", platform))
    domain = chip.scaleup_domain
    return Machine(platform, chip.stack, tuple(chip.peak_flops), min(domain, 8), domain)


def settings_of(
    row: Mapping[str, Any],
    model_id: str,
    platform: str,
    goal: Goal,
    *,
    fleet_chips: int = 0,
    catalog: Catalog | None = None,
    **changes: Any,
) -> Settings:
    """Settings from a row of `search.Frontier.rows()`.

    A row may also say `draft_tokens`, `token_budget` (of a step of a rank), `eager` and `host_cache_bytes` (of a chip).
    `fleet_chips` says for how many chips replicas are counted (0: one replica, or the fewest whole workers whose prefill
    capacity comes within 5 % of the row's). `changes` replace fields of the settings (prefix_caching, draft_tokens, ...).

    Raises:
        InputError: the mapping is no layout, or the fleet holds no replica.
    """
    found = catalog or Catalog.load()
    prefill, serve = parse_mapping(str(row["mapping"]))
    concurrency = max(1, round(float(row["concurrency"])))
    ratio = (float(row["chips_per_replica"]) - serve.chips) / prefill.chips if prefill else 0.0
    first, second = _workers(ratio, prefill, serve, fleet_chips)
    accelerator = found.get("platform", platform).accelerator if platform in found.ids("platform") else platform
    arch = from_config(model_id, found.get("model", model_id).config)
    spec = Spec(
        arch,
        chip_from_record(found.get("accelerator", accelerator)),
        serve.chips,
        engine=str(row["engine"]),
        precision=str(row["precision"]),
    )
    budget = float(row.get("token_budget", math.inf))
    tokens = int(budget) if math.isfinite(budget) else TOKEN_BUDGET
    prompts = serve if prefill is None else prefill  # who takes prompts keeps old caches
    words: dict[str, Any] = {
        "model": model_facts(model_id, found),
        "machine": machine_of(platform, found),
        "serve": replace(serve, replicas=second, max_requests=concurrency, token_budget=tokens),
        "prefill": replace(prefill, replicas=first, token_budget=tokens) if prefill else None,
        "draft_tokens": int(row.get("draft_tokens", 0)),
        "cuda_graphs": not row.get("eager", False),
        "offload_bytes": float(row.get("host_cache_bytes", 0.0)) * prompts.chips,
        "engine": str(row["engine"]),
        "precision": str(row["precision"]),
        "kv_precision": kv_precision(spec),
        "context_tokens": _context(goal),
        "goal": goal,
        "predicted": predicted_of(row),
    }
    return Settings(**{**words, **changes})


def predicted_of(row: Mapping[str, Any]) -> Predicted:
    """A row's predictions; ranges of the two times are those of the calibration, by kind of deployment."""
    kind = "disagg" if "prefill" in str(row["mapping"]) else "agg"
    groups = sigmas()
    ranges = {name: _factors(groups[f"{kind}.{name}_ms"]) for name in ("ttft", "tpot")}
    return Predicted(
        ttft_s=float(row["ttft_s"]),
        tpot_s=float(row["tpot_s"]),
        tokens_out_per_s_per_chip=float(row["tokens_out_per_s_per_chip"]),
        ttft_range=ranges["ttft"],
        tpot_range=ranges["tpot"],
        tokens_range=(float(row["low"]), float(row["high"])),
        engine=str(row["engine"]),
    )


def _factors(half: float) -> tuple[float, float]:
    return math.exp(-half), math.exp(half)


def _context(goal: Goal) -> int:
    tokens = math.ceil(goal.input_tokens) + math.ceil(goal.output_tokens) + MARGIN_TOKENS
    return 64 * math.ceil(tokens / 64)


def _workers(ratio: float, prefill: Pool | None, serve: Pool, fleet_chips: int) -> tuple[int, int]:
    """Whole prefill and decode workers: as many as the fleet holds, or the fewest that come near the ratio."""
    if prefill is None:
        count = fleet_chips // serve.chips if fleet_chips else 1
        if count < 1:
            text = f"{fleet_chips} chips hold no replica of {serve.chips}"
            raise InputError(Problem("no_replica", text, None, (f"at least {serve.chips} chips",)))
        return 0, count
    most = fleet_chips // serve.chips if fleet_chips else MOST_WORKERS
    options = [(max(1, round(ratio * n)), n) for n in range(1, most + 1)]
    options += [(max(1, math.ceil(ratio * n)), n) for n in range(1, most + 1)]
    if fleet_chips:
        options = [(p, d) for p, d in options if p * prefill.chips + d * serve.chips <= fleet_chips]
        if not options:
            least = prefill.chips + serve.chips
            text = (
                f"{fleet_chips} chips hold no prefill worker of {prefill.chips} beside a decode worker of {serve.chips}"
            )
            raise InputError(Problem("no_replica", text, None, (f"at least {least} chips",)))
        return max(options, key=lambda o: (min(o[0] / ratio, o[1]), -o[0] * prefill.chips - o[1] * serve.chips))
    near = [o for o in options if abs(o[0] / (ratio * o[1]) - 1.0) <= FIT]
    return min(near or options, key=lambda o: (o[1], o[0]) if near else _miss(o, ratio))


def _miss(option: Sequence[int], ratio: float) -> tuple[float, float]:
    return abs(option[0] / (ratio * option[1]) - 1.0), float(option[1])
