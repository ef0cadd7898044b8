"""Dynamo: one graph for Kubernetes with a frontend that routes, and workers of vLLM, SGLang or TensorRT-LLM in their roles."""

from __future__ import annotations

import re
from typing import Any

from gigawatt.study.serve.emit import sglang, trtllm, vllm
from gigawatt.study.serve.emit.check import file_names
from gigawatt.study.serve.emit.schema import Schema, schema
from gigawatt.study.serve.emit.settings import Pool, Settings
from gigawatt.study.serve.emit.texts import Words, as_json, as_yaml, flat, header, left_out, names_of, on_the_fly

SECRET = "hf-token-secret"  # with HF_TOKEN, as the release's own templates name it
MODEL = "$(MODEL_PATH)"  # Kubernetes puts the container's variable there
ROLES = {"serve": "worker", "prefill": "prefill", "decode": "decode"}
EVENTS_PORT = 5557


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`graph.yaml`: for TensorRT-LLM the workers' configuration files lie before it."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{settings.model.id}-{settings.engine}".lower()).strip("-")
    engine = known.commands[settings.engine]
    routed = settings.prefix_caching and (settings.prefill is not None or settings.serve.replicas > 1)
    frontend: Words = [("--router-mode", "kv" if routed else "round-robin")]
    words = [*known.commands["frontend"].program, *flat(frontend)]
    components = [_component("Frontend", "frontend", 1, words, settings, known)]
    maps, used = [], list[str]()
    for role, pool in settings.pools:
        own = _worker(settings, pool, role, routed)
        used += names_of(own)
        part = _component(ROLES[role], ROLES[role], pool.replicas, [*engine.program, *flat(own)], settings, known, pool)
        if settings.engine == "trtllm":
            maps.append(_config_map(f"{name}-{role}", trtllm.config(settings, pool, role)))
            _mount(part, f"{name}-{role}")
        tokens = sglang.dispatch_tokens(settings, pool, role) if settings.engine == "sglang" else 0
        if tokens:
            _env(part, "SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK", str(tokens))
        components.append(part)
    graph = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": name},
        "spec": {"backendFramework": settings.engine, "components": components},
    }
    graph_file = known.files["graph"]
    left = ", ".join(
        part for part in (left_out(engine, used), left_out(graph_file, file_names(graph, graph_file))) if part
    )
    head = header(settings, known, graph_file, _notes(settings, known), left)
    return {"graph.yaml": head + "---\n".join(as_yaml(part) for part in [*maps, graph])}


def _worker(settings: Settings, pool: Pool, role: str, routed: bool) -> Words:
    """A worker's arguments; those of the engine it runs are the engine's own."""
    told = routed and role != "decode"  # the router looks where prompts go
    port = f"tcp://*:{EVENTS_PORT}"
    if settings.engine == "vllm":
        words: Words = [("--model", MODEL), *vllm.worker(settings, pool, role)]
        first, _ = vllm.nodes(settings, pool)
        if first and pool.attention_dp > 1:
            words += ["--data-parallel-hybrid-lb", first[0]]
        events = {"publisher": "zmq", "topic": "kv-events", "endpoint": port, "enable_kv_cache_events": True}
        words += [("--kv-events-config", as_json(events))] if told else []
        return [*words, ("--disaggregation-mode", role)] if role != "serve" else words
    if settings.engine == "sglang":
        words = [("--model-path", MODEL), *sglang.worker(settings, pool, role, pinned=True)]
        events = {"publisher": "zmq", "topic": "kv-events", "endpoint": port}
        words += [("--kv-events-config", as_json(events))] if told else []
        return (
            [*words, ("--disaggregation-bootstrap-port", "12345"), ("--host", "0.0.0.0")] if role != "serve" else words
        )
    words = [("--model-path", MODEL), ("--served-model-name", settings.model.repository or settings.model.id)]
    words.append(("--extra-engine-args", "/config/config.yaml"))
    words += ["--publish-kv-events"] if told else []
    return [*words, ("--disaggregation-mode", role)] if role != "serve" else words


def _component(
    name: str, kind: str, replicas: int, words: list[str], settings: Settings, known: Schema, pool: Pool | None = None
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": known.extras["images"][settings.engine]}
    container |= {"command": words[:3], "args": words[3:], "envFrom": [{"secretRef": {"name": SECRET}}]}
    out: dict[str, Any] = {"name": name, "type": kind, "replicas": replicas}
    if pool is not None:
        size = settings.machine.node_chips
        if pool.chips > size:
            out["multinode"] = {"nodeCount": -(-pool.chips // size)}
        container["env"] = [{"name": "MODEL_PATH", "value": _path(settings) or "MODEL_PATH"}]
        container["resources"] = {"limits": {"nvidia.com/gpu": str(min(pool.chips, size))}}
    return out | {"podTemplate": {"spec": {"containers": [container]}}}


def _path(settings: Settings) -> str:
    found = settings.model.checkpoint(settings.precision)
    return settings.model.repository if not found and on_the_fly(settings) and settings.engine != "trtllm" else found


def _config_map(name: str, config: dict[str, Any]) -> dict[str, Any]:
    from ruamel.yaml.scalarstring import LiteralScalarString

    text = LiteralScalarString(as_yaml(config))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"config.yaml": text}}


def _mount(part: dict[str, Any], name: str) -> None:
    pod = part["podTemplate"]["spec"]
    pod["containers"][0]["volumeMounts"] = [{"name": "config", "mountPath": "/config"}]
    pod["volumes"] = [{"name": "config", "configMap": {"name": name}}]


def _env(part: dict[str, Any], name: str, value: str) -> None:
    part["podTemplate"]["spec"]["containers"][0]["env"].append({"name": name, "value": value})


def _notes(settings: Settings, known: Schema) -> list[str]:
    inner = schema(settings.engine)
    pinned, model = known.extras["engines"][settings.engine], settings.model
    text = (
        f"This release runs {inner.title} {pinned}; the worker's arguments are those of {inner.title} {inner.release}"
    )
    notes = [f"{text} that {pinned} has as well." if inner.pinned else f"{text} ({inner.source_url})."]
    machine = settings.machine
    if machine.domain_chips > machine.node_chips and any(p.chips > machine.node_chips for _, p in settings.pools):
        text = "A worker spans nodes of one NVLink domain: its pods need a ComputeDomain, which is not written here"
        notes.append(f"{text}.")
    if not _path(settings):
        known_as = f" Repositories of this shape: {', '.join(model.others)}." if model.others else ""
        notes.append(f"Put a checkpoint of {model.id} in {settings.precision} in the place of MODEL_PATH.{known_as}")
    return notes
