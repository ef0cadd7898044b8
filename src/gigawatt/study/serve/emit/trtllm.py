"""TensorRT-LLM: a configuration file beside a short command; with attention ranks every chip of a stage is one."""

from __future__ import annotations

from typing import Any

from gigawatt.study.serve.emit.check import file_names
from gigawatt.study.serve.emit.refuse import CONNECTORS, KV_WORDS
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.serve.emit.settings import Pool, Settings
from gigawatt.study.serve.emit.texts import Words, as_yaml, header, left_out, model_variable, names_of, script

HERE = 'here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"'
WORKER_PORT = 8001


def config(settings: Settings, pool: Pool, role: str) -> dict[str, Any]:
    """The configuration file of one worker."""
    drafted = settings.draft_tokens
    cache: dict[str, Any] = {
        "dtype": KV_WORDS["trtllm"][settings.kv_precision],
        "free_gpu_memory_fraction": float(settings.memory_share),
        "enable_block_reuse": settings.prefix_caching,
    }
    if settings.offload_bytes and role != "decode":  # old caches serve prompts
        cache["host_cache_size"] = round(settings.offload_bytes / pool.chips)
    out: dict[str, Any] = {"tensor_parallel_size": pool.stage, "pipeline_parallel_size": pool.pipeline}
    out["enable_attention_dp"] = pool.attention_dp > 1
    if settings.model.experts:
        out["moe_expert_parallel_size"] = pool.expert_parallel
        out["moe_tensor_parallel_size"] = pool.stage // pool.expert_parallel
    if pool.max_requests:
        out["max_batch_size"] = pool.rank_requests
    # A decode worker's step holds the tokens that its requests draft and check, no prompts.
    steps = pool.rank_requests * (1 + drafted) if role == "decode" and pool.max_requests else pool.token_budget
    out["max_num_tokens"] = steps
    if settings.context_tokens:
        out["max_seq_len"] = settings.context_tokens
    if role != "decode" and not 0 < settings.context_tokens <= pool.token_budget:
        out["enable_chunked_prefill"] = True  # else prompts longer than a step are turned away
    out["kv_cache_config"] = cache
    if role == "prefill":
        out["disable_overlap_scheduler"] = True  # prefill workers of this engine do without it
    if not settings.cuda_graphs or role == "prefill":
        out["cuda_graph_config"] = None
    else:
        graphs: dict[str, Any] = {"enable_padding": True}
        out["cuda_graph_config"] = {**graphs, "max_batch_size": pool.rank_requests} if pool.max_requests else graphs
    if drafted:
        kind = {"decoding_type": "Eagle3", "speculative_model": settings.draft_model} if settings.draft_model else {}
        out["speculative_config"] = {**(kind or {"decoding_type": "MTP"}), "max_draft_len": drafted}
    if role != "serve":
        out["cache_transceiver_config"] = {"backend": CONNECTORS["trtllm"][settings.connector]}
        if settings.context_tokens:
            out["cache_transceiver_config"]["max_tokens_in_buffer"] = settings.context_tokens
    return out


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`serve.sh` with `config.yaml`, or both for each role with what joins them."""
    files: dict[str, str] = {}
    server, layout = known.commands["server"], known.files["config"]
    path, about = model_variable(settings, quantises=False)
    for role, pool in settings.pools:
        stem, name = ("serve", "config.yaml") if role == "serve" else (f"serve-{role}", f"{role}.yaml")
        data = config(settings, pool, role)
        left = left_out(layout, file_names(data, layout))
        files[name] = header(settings, known, layout, [], left) + as_yaml(data)
        words: Words = [("--config", f"$here/{name}"), ("--host", "0.0.0.0")]
        words.append(("--port", f"${{PORT:-{8000 if role == 'serve' else WORKER_PORT}}}"))
        program, body, notes = 'trtllm-serve "$MODEL_PATH"', [path, HERE], [*about, _copies(settings, role, pool)]
        if pool.chips > settings.machine.node_chips:
            words.append(("--gpus_per_node", str(settings.machine.node_chips)))
            program = f"$LAUNCHER trtllm-llmapi-launch {program}"
            body.append(
                f': "${{LAUNCHER:?what starts {pool.chips} processes, one a chip: srun, mpirun -n {pool.chips}}}"'
            )
        head = header(settings, known, server, notes, left_out(server, names_of(words)))
        files[f"{stem}.sh"] = script(head, body, program, words)
    if settings.prefill is not None:
        files |= _joined(settings, known)
    return files


def _copies(settings: Settings, role: str, pool: Pool) -> str:
    if role == "serve" and pool.replicas > 1:
        return f"Run {pool.replicas} of these behind a load balancer: this engine brings none for workers of one kind."
    return f"Run {pool.replicas} of these." if pool.replicas > 1 else ""


def _joined(settings: Settings, known: Schema) -> dict[str, str]:
    """The server that sends prompts to prefill workers and the rest to decode workers."""
    layout, command = known.files["disaggregated-config"], known.commands["disaggregated"]
    pools = {"context_servers": "prefill", "generation_servers": "decode"}
    data: dict[str, Any] = {"hostname": "0.0.0.0", "port": 8000, "backend": "pytorch"}
    for name, role in pools.items():
        count = dict(settings.pools)[role].replicas
        urls = [f"{role}-{i}:{WORKER_PORT}" for i in range(count)]
        data[name] = {"num_instances": count, "urls": urls}
    note = "Put the workers' own addresses in the place of prefill-0, decode-0, ..."
    left = left_out(layout, file_names(data, layout))
    words: Words = [("--config_file", "$here/disaggregated.yaml")]
    head = header(settings, known, command, [], left_out(command, names_of(words)))
    return {
        "disaggregated.yaml": header(settings, known, layout, [note], left) + as_yaml(data),
        "router.sh": script(head, [HERE], " ".join(command.program), words),
    }
