"""How a benchmark launched its engine, where its public scripts say so and no column does.

Rows of the InferenceX database come from scripts that are public (SemiAnalysisAI/InferenceX, `benchmarks/`, Apache-2.0; read
November 2026 as of October 2025 to April 2026). What they set, and what a row's own inputs select of it:

    SGLang, DeepSeek        --scheduler-recv-interval 30 from 16 users on, else 10 (fp8 on 4 chips: 10)
    SGLang, Qwen3.5         --scheduler-recv-interval 10
    TensorRT-LLM, 70B       1024 in and out, fewer than 8 chips: batch_wait_timeout_iters 20, batch_wait_max_tokens_ratio 0.9 of
                            max_num_tokens (fp4: the context of 2248, fp8: 16384)
    TensorRT-LLM, DeepSeek  attention_dp_config: enable_balance, timeout_iters 60; fp8 without drafts since release 1.2.0rc6,
                            1024 in and out, 64 to 255 users: batch_wait_timeout_iters 40, batch_wait_max_tokens_ratio 0.8;
                            multi-token prediction with 3 drafts, 1 where attention is data parallel; by image and date below
    SGLang, DeepSeek fp8    8 chips, exports since 0.5.8: multi-token prediction with 2 drafts (swept to 512 users)
    TensorRT-LLM, DeepSeek  fp4 before images were named: "DP_ATTENTION, EP_SIZE and MOE_BACKEND based on ISL, OSL, CONC",
                            attention data parallel beyond 32 users of 8192 tokens, else from 256 on
    SGLang, DeepSeek fp8    8 chips: mem-fraction-static 0.82, 128 requests at once, steps of 32768 tokens; drafting 512,
                            16384; 4 chips: 0.95, 32, 8192; fp4: 0.85, 256, 16384
    SGLang, Qwen3.5         mem-fraction-static 0.8, steps of 16384 tokens
    TensorRT-LLM            free_gpu_memory_fraction 0.8 of DeepSeek, 0.85 of gpt-oss; max_num_tokens 20000 of gpt-oss,
                            whose cache on Hopper is as wide as the checkpoint says (dtype: auto)
    all                     ten times as many requests as users, released as users become free; means are reported
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.physics.serving.engine.releases import decimal_year, releases, version
from gigawatt.physics.serving.engine.scheduling import Scheduling
from gigawatt.physics.serving.steady.protocol import Protocol

Row = Mapping[str, str]
PUBLIC = re.compile(r"db-dump/|source_file=\d{4}-\d{2}-\d{2}\.csv")
BALANCE_STEPS = 60.0
# Images that serve with multi-token prediction, though no column says so: told by release and date. The database's own
# dump holds no such run, its daily exports do.
SPECULATING = {"1.2.0rc6.post3": "", "1.1.0rc2.post2": "2026-01-10"}
DUMP = "db-dump/"
PROTOCOL = Protocol(10.0)  # of all rows: means over ten times as many requests as users


def is_public(row: Row) -> bool:
    """Whether a row comes from the public scripts."""
    return bool(PUBLIC.search(row.get("silicon_data_source") or ""))


def scheduling_of(row: Row, engine: str, precision: str, chips: int, users: float, drafts: int) -> Scheduling:
    """Settings of the scheduler; the engine's own where no script is known."""
    if not is_public(row):
        return Scheduling()
    name = (row.get("model_path") or "").lower()
    short = row.get("isl") == "1024" and row.get("osl") == "1024"
    if engine == "sglang":
        few = users < 16 or (precision == "fp8" and chips == 4)
        return Scheduling(poll_steps=10.0 if few or "qwen" in name else 30.0)
    if engine == "trtllm" and "70b" in name and short and chips < 8:
        return Scheduling(gather_steps=20.0, gather_tokens=0.9 * (2248.0 if precision == "fp4" else 16384.0))
    if engine == "trtllm" and "deepseek" in name:
        late = version(row.get("backend_version") or "") >= version("1.2.0rc6")
        waits = not drafts and precision == "fp8" and late and short and 64 <= users < 256
        gather = (40.0, 0.8 * 8192.0) if waits else (0.0, float("inf"))
        return Scheduling(gather_steps=gather[0], gather_tokens=gather[1], balance_steps=BALANCE_STEPS)
    return Scheduling()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine was allowed: share of the memory (0: its default), requests at once, tokens of a step, cache's width."""

    memory_share: float = 0.0
    requests: float = float("inf")
    step_tokens: float = float("inf")
    cache: str = ""


def limits_of(row: Row, engine: str, precision: str, chips: int, drafts: int) -> Limits:
    """Limits that the script set; none where no script is known."""
    name = (row.get("model_path") or "").lower()
    if not is_public(row):
        return Limits()
    if engine == "sglang" and "deepseek" in name:
        if precision == "fp4":
            return Limits(0.85, 256.0, 16384.0)
        if chips == 4:
            return Limits(0.95, 32.0, 8192.0)
        return Limits(0.82, 512.0, 16384.0) if drafts else Limits(0.82, 128.0, 32768.0)
    if engine == "sglang" and "qwen" in name:
        return Limits(0.8, step_tokens=16384.0)
    if engine == "trtllm" and "deepseek" in name:
        return Limits(0.8)
    if engine == "trtllm" and "gpt-oss" in name:
        hopper = (row.get("system") or "").startswith("h")
        return Limits(0.85, step_tokens=20000.0, cache="bf16" if hopper else "")
    return Limits()


def drafts_of(row: Row, engine: str, precision: str, chips: int, data_parallel: bool, date: str) -> int:
    """Tokens drafted a step; 0 without multi-token prediction."""
    text, stated = row.get("silicon_data_source") or "", row.get("backend_version") or ""
    if DUMP in text or not is_public(row) or "deepseek" not in (row.get("model_path") or "").lower():
        return 0
    if engine == "trtllm" and stated in SPECULATING and date >= SPECULATING[stated]:
        return 1 if data_parallel else 3
    late = bool(stated) and version(stated) >= version("0.5.8")
    return (
        2
        if engine == "sglang" and precision == "fp8" and chips == 8 and row.get("system") == "b200_sxm" and late
        else 0
    )


def shared_attention(row: Row, engine: str, precision: str, users: float) -> bool:
    """Whether an early script made attention data parallel and experts spread, which no column says."""
    early = not row.get("backend_version") and is_public(row) and engine == "trtllm" and precision == "fp4"
    if not early or "deepseek" not in (row.get("model_path") or "").lower():
        return False
    return users >= 256 or (row.get("isl") == "8192" and users > 32)


def release_of(row: Row, engine: str, date: str) -> str:
    """The engine's release: the stated one, or the newest that was out when the row was measured.

    Images of Dynamo are numbered by Dynamo; the engine inside is looked up.
    """
    stated = row.get("backend_version") or ""
    text = row.get("silicon_data_source") or ""
    if engine == "trtllm" and ("dynamo" in text or version(stated)[:1] == ((0, 0),)):
        inside = dynamo_engines()
        older = [name for name in inside if version(name) <= version(stated)]
        return inside[max(older, key=version)] if older else ""
    if stated or not re.match(r"\d{4}-\d{2}-\d{2}", date):
        return stated
    known = releases()[engine]
    out = [name for name, year in known.items() if year <= decimal_year(date)]
    return max(out, key=lambda name: known[name]) if out else min(known, key=lambda name: known[name])


def dynamo_engines() -> Mapping[str, str]:
    """Dynamo's release -> TensorRT-LLM's inside it."""
    from gigawatt.catalog import Catalog
    from gigawatt.physics.serving.engine.releases import RELEASES

    return {str(k): str(v) for k, v in Catalog.load().get("calibration", RELEASES).tables["dynamo"].items()}
