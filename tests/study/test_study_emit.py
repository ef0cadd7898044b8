"""Launch settings: every emitted word is a recorded argument, layouts add up, contradictions are refused."""

import csv
import json
import math
import shlex
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving.search.frontier import frontier
from gigawatt.physics.workload import from_config
from gigawatt.study.serve.emit import (
    ENGINES,
    Goal,
    ModelFacts,
    Pool,
    Predicted,
    Settings,
    emit,
    machine_of,
    model_facts,
    parse_layout,
    parse_mapping,
    schema,
    settings_of,
    write,
)
from gigawatt.study.serve.emit.schema import FOLDER

BOOLS = st.booleans()
CATALOG = Catalog.load()
DEEPSEEK = model_facts("deepseek-v3", CATALOG)
LLAMA = model_facts("llama3-70b", CATALOG)
H200 = machine_of("hgx-h200", CATALOG)
GOAL = Goal(4000, 1000, 2.0, 0.03)
SEEN = Predicted(1.2, 0.02, 1500.0, (0.6, 1.6), (0.85, 1.15), (0.8, 1.2), "trtllm")
WIDE = Settings(
    DEEPSEEK, H200, replace(parse_layout("dp8-ep8"), max_requests=512), context_tokens=8192, goal=GOAL, predicted=SEEN
)
APART = replace(
    WIDE,
    prefill=replace(parse_layout("tp8-ep8"), replicas=3),
    serve=replace(parse_layout("dp16-ep16"), max_requests=1000),
    draft_tokens=1,
)
DENSE = Settings(LLAMA, H200, replace(parse_layout("tp4"), replicas=2, max_requests=200), context_tokens=8192)
PROGRAMS = {
    ("vllm", "server"): ["vllm", "serve"],
    ("vllm", "router"): ["vllm-router"],
    ("sglang", "server"): ["sglang", "serve"],
    ("sglang", "router"): ["sglang-router", "launch"],
    ("trtllm", "disaggregated"): ["trtllm-serve", "disaggregated"],
    ("trtllm", "server"): ["trtllm-serve"],
}


def recorded(engine):
    """command -> spelling -> row, straight from the table."""
    out = {}
    for path in (FOLDER / f"{engine}.csv", *FOLDER.glob(f"{engine}.*.csv")):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            for name in (row["name"], *row["also"].split()):
                out.setdefault(row["command"], {})[name] = row
    return out


TABLES = {engine: recorded(engine) for engine in ENGINES}


def command_of(text, engine):
    """Which program a script becomes, and the words after it: as a shell reads them, by none of our own code."""
    joined = text.replace("\\\n", " ")
    line = next(line for line in joined.splitlines() if line.startswith("exec "))
    words = shlex.split(line)
    for (owner, name), program in PROGRAMS.items():
        if owner == engine:
            for at in range(len(words)):
                if words[at : at + len(program)] == program:
                    return name, words[at + len(program) :]
    raise AssertionError(line)


def options(words, table):
    """argument -> its values, every word accounted for."""
    out, free, rest = {}, [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            free.append(word)
            continue
        row = table.get(word) or table.get("--" + word.removeprefix("--no-"))
        assert row is not None, f"{word} is not recorded"
        values = []
        while rest and not rest[0].startswith("--") and row["type"] not in ("flag", "switch"):
            values.append(rest.pop(0))
        assert row["type"] in ("flag", "switch") or values, word
        for value in values:
            typed(row, value)
        out[word] = values[0] if len(values) == 1 else values
    assert all("$" in word for word in free), free
    return out


def typed(row, value):
    if "$" in value:
        return
    if row["type"] in ("int", "float"):
        float(value) if row["type"] == "float" else int(value)
    if row["type"] == "json":
        json.loads(value)
    if row["choices"]:
        assert value in row["choices"].split(), (row["name"], value)


def leaves(data, names, path=""):
    """Dotted names with values, down to what the table names as one value."""
    if isinstance(data, dict) and not (path in names and data is None):
        for key, value in data.items():
            yield from leaves(value, names, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list) and not (path in names and names[path]["type"] == "list"):
        for value in data:
            yield from leaves(value, names, path + "[]")
    else:
        yield path, data


def taken_apart(made):
    """file -> arguments, each checked against the table on the way."""
    out, tables = {}, TABLES[made.engine]
    for name, text in made.files.items():
        if name.endswith(".sh"):
            command, words = command_of(text, made.engine)
            out[name] = options(words, tables[command])
            continue
        for i, data in enumerate(YAML(typ="safe", pure=True).load_all(text)):
            if made.engine == "dynamo":
                kind = "config-map" if data["kind"] == "ConfigMap" else "graph"
            else:
                kind = "disaggregated-config" if "context_servers" in data else "config"
            found = dict(leaves(data, tables[kind]))
            free = {name for name, row in tables[kind].items() if row["type"] == "open"}
            unknown = {
                name for name in set(found) - set(tables[kind]) if not any(name.startswith(part) for part in free)
            }
            assert not unknown, unknown
            out[f"{name}#{i}" if i else name] = found if made.engine != "dynamo" else data
    return out


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("asked", [WIDE, APART, DENSE, replace(DENSE, prefill=Pool(4, replicas=2))])
def test_every_emitted_word_is_recorded(engine, asked):
    for inner in ("vllm", "sglang", "trtllm") if engine == "dynamo" else ("vllm",):
        taken_apart(emit(replace(asked, engine=inner), engine))


def test_a_layout_in_the_words_of_vllm():
    words = taken_apart(emit(WIDE, "vllm"))["serve.sh"]
    assert (words["--tensor-parallel-size"], words["--data-parallel-size"]) == ("1", "8")
    assert "--enable-expert-parallel" in words
    assert words["--max-num-seqs"] == "64"  # of one rank
    assert words["--max-num-batched-tokens"] == "8192"  # of one rank
    assert "--data-parallel-address" not in words and len(emit(WIDE, "vllm").files) == 1  # a whole node is one node
    apart = taken_apart(emit(APART, "vllm"))
    assert apart["serve-decode.sh"]["--all2all-backend"] == "deepep_low_latency"
    assert json.loads(apart["serve-decode.sh"]["--speculative-config"]) == {
        "method": "mtp",
        "num_speculative_tokens": 1,
    }
    assert apart["serve-decode.sh"]["--data-parallel-size-local"] == "8"
    assert "--headless" in apart["serve-decode-node.sh"]
    assert json.loads(apart["serve-prefill.sh"]["--kv-transfer-config"])["kv_connector"] == "NixlConnector"
    assert "--vllm-pd-disaggregation" in apart["router.sh"]


def test_a_layout_in_the_words_of_sglang():
    words = taken_apart(emit(WIDE, "sglang"))["serve.sh"]
    assert (words["--tp-size"], words["--attn-dp-size"], words["--ep-size"]) == ("8", "8", "8")
    assert (words["--moe-a2a-backend"], words["--deepep-mode"]) == ("deepep", "auto")
    assert words["--max-running-requests"] == "512"  # over all ranks
    assert words["--chunked-prefill-size"] == str(8 * 8192)  # over all ranks
    apart = taken_apart(emit(APART, "sglang"))
    assert apart["serve-decode.sh"]["--deepep-mode"] == "low_latency"
    assert apart["serve-decode.sh"]["--nnodes"] == "2"
    assert "--attn-dp-size" not in apart["serve-prefill.sh"]
    assert apart["serve-prefill.sh"]["--disaggregation-mode"] == "prefill"
    many = replace(WIDE, serve=replace(WIDE.serve, max_requests=4096))
    assert "export SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK=512" in emit(many, "sglang").files["serve.sh"]


def test_a_layout_in_the_words_of_tensorrt_llm():
    found = taken_apart(emit(WIDE, "trtllm"))["config.yaml"]
    assert (found["tensor_parallel_size"], found["enable_attention_dp"]) == (8, True)
    assert (found["moe_expert_parallel_size"], found["moe_tensor_parallel_size"]) == (8, 1)
    assert found["max_batch_size"] == 64
    apart = taken_apart(emit(APART, "trtllm"))
    assert apart["decode.yaml"]["max_num_tokens"] == 2 * math.ceil(1000 / 16)
    assert apart["prefill.yaml"]["disable_overlap_scheduler"] is True
    assert apart["prefill.yaml"]["cuda_graph_config"] is None
    assert apart["disaggregated.yaml"]["context_servers.num_instances"] == 3
    half = replace(WIDE, serve=Pool(8, expert_parallel=4))
    assert taken_apart(emit(half, "trtllm"))["config.yaml"]["moe_tensor_parallel_size"] == 2
    long = replace(WIDE, context_tokens=100_000)
    assert taken_apart(emit(long, "trtllm"))["config.yaml"]["enable_chunked_prefill"] is True


@pytest.mark.parametrize("inner", ["vllm", "sglang", "trtllm"])
def test_a_graph_of_dynamo(inner):
    made = taken_apart(emit(replace(APART, engine=inner), "dynamo"))
    graph = next(data for data in made.values() if data["kind"] == "DynamoGraphDeployment")
    parts = {part["type"]: part for part in graph["spec"]["components"]}
    assert {kind: part["replicas"] for kind, part in parts.items()} == {"frontend": 1, "prefill": 3, "decode": 1}
    assert parts["decode"]["multinode"] == {"nodeCount": 2}
    table = {**TABLES["dynamo"][inner], **({} if inner == "trtllm" else TABLES[inner]["server"])}
    for kind in ("prefill", "decode"):
        container = parts[kind]["podTemplate"]["spec"]["containers"][0]
        assert container["command"] == ["python3", "-m", f"dynamo.{inner}"]
        words = options(container["args"], table)
        assert all(table["--" + w.removeprefix("--no-")]["pinned"] != "no" for w in words if w.startswith("--no-"))
        assert all(table[w]["pinned"] != "no" for w in words if w in table)  # the release that Dynamo pins has it too
        assert words["--disaggregation-mode"] == kind
        told = "--publish-kv-events" if inner == "trtllm" else "--kv-events-config"
        assert (told in words) == (kind == "prefill")  # the router looks where prompts go
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    front = parts["frontend"]["podTemplate"]["spec"]["containers"][0]
    assert options(front["args"], TABLES["dynamo"]["frontend"]) == {"--router-mode": "kv"}
    if inner == "trtllm":
        maps = {
            d["metadata"]["name"]: YAML(typ="safe").load(d["data"]["config.yaml"]) for d in made.values() if "data" in d
        }
        assert {name.rpartition("-")[2] for name in maps} == {"prefill", "decode"}
        mounted = parts["decode"]["podTemplate"]["spec"]["volumes"][0]["configMap"]["name"]
        assert maps[mounted]["tensor_parallel_size"] == 16


def test_old_caches_in_host_memory():
    kept = replace(WIDE, offload_bytes=16e12 / 8)
    assert float(taken_apart(emit(kept, "vllm"))["serve.sh"]["--kv-offloading-size"]) * 8 * 2**30 == pytest.approx(
        2e12, rel=1e-5
    )
    assert taken_apart(emit(kept, "sglang"))["serve.sh"]["--hicache-size"] == "250"  # GB of a chip
    assert taken_apart(emit(kept, "trtllm"))["config.yaml"]["kv_cache_config.host_cache_size"] == 250_000_000_000
    apart = taken_apart(emit(replace(APART, offload_bytes=2e12), "sglang"))
    assert "--hicache-size" in apart["serve-prefill.sh"] and "--hicache-size" not in apart["serve-decode.sh"]


def test_nodes_of_one_scale_up_domain():
    rack = replace(WIDE, machine=machine_of("gb200-nvl72", CATALOG), engine="trtllm")
    made = emit(rack, "dynamo").files["graph.yaml"]
    assert "nodeCount: 2" in made and "ComputeDomain" in made and "nvidia.com/gpu: '4'" in made
    assert "ComputeDomain" not in emit(WIDE, "dynamo").files["graph.yaml"]
    assert "--gpus_per_node 4" in emit(rack, "trtllm").files["serve.sh"]


def test_the_head_says_what_for_and_what_is_left():
    head = [line for line in emit(WIDE, "vllm").files["serve.sh"].splitlines() if line.startswith("#")]
    text = " ".join(line.lstrip("# ") for line in head)
    assert "deepseek-v3 on hgx-h200" in text
    assert "TTFT (p99) within 2 s, TPOT within 30 ms" in text
    assert "TPOT 20 ms [17 ms to 23 ms]" in text
    assert "1,500 tokens out per second and chip [1,200 to 1,800]" in text
    assert "as served by trtllm" in text
    assert f"{schema('vllm').release} of {schema('vllm').date}" in text
    assert "Left to the engine's defaults: --all2all-backend (allgather_reducescatter)" in text
    assert "--headless" not in text and "--max-num-seqs" not in text  # no choice, and chosen


def test_a_checkpoint_is_named_or_asked_for():
    assert 'MODEL_PATH="${MODEL_PATH:-deepseek-ai/DeepSeek-V3}"' in emit(WIDE, "vllm").files["serve.sh"]
    dense = emit(DENSE, "vllm").files["serve.sh"]
    assert "${MODEL_PATH:-meta-llama/Llama-3.1-70B}" in dense
    assert "--quantization fp8" in dense  # published wide, made narrow while it loads
    asked = emit(DENSE, "trtllm").files["serve.sh"]
    assert "${MODEL_PATH:?a checkpoint of llama3-70b in fp8}" in asked
    four = emit(replace(WIDE, precision="fp4"), "vllm").files["serve.sh"]
    assert "MODEL_PATH must name a checkpoint of deepseek-v3 in fp4" in four
    assert "nvidia/DeepSeek-R1-NVFP4" in four.replace("\n#  ", "")
    own = model_facts("qwen3-235b-a22b", CATALOG)
    assert own.checkpoint("fp8") == "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8"
    graph = emit(replace(WIDE, precision="fp4"), "dynamo").files["graph.yaml"]
    assert "value: MODEL_PATH" in graph and "in the place of MODEL_PATH" in graph.replace("\n#  ", "")


def test_what_is_written_can_be_run(tmp_path):
    for engine in ENGINES:
        paths = write(APART, engine, tmp_path / engine)
        assert sorted(p.name for p in (tmp_path / engine).iterdir()) == sorted(p.name for p in paths)
        for path in paths:
            if path.suffix == ".sh":
                assert path.stat().st_mode & 0o111
                if shutil.which("bash"):
                    subprocess.run(["bash", "-n", str(path)], check=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can not be written"):
        write(WIDE, "vllm", tmp_path / "file")


def test_records_are_whole():
    for engine in ENGINES:
        known = schema(engine)
        assert known.release and known.date and known.source_url.startswith("https://")
        head = YAML(typ="safe", pure=True).load((FOLDER / f"{engine}.yaml").read_text())
        for name, means in head["means"].items():
            table = TABLES[engine][name]
            assert not set(means) - set(table), (engine, name, set(means) - set(table))
        kinds = {"int", "size", "float", "str", "bool", "list", "json", "flag", "switch", "open"}
        for rows in TABLES[engine].values():
            assert {row["type"] for row in rows.values()} <= kinds
            for row in rows.values():
                if row["choices"] and row["default"] and row["type"] != "list":
                    assert row["default"] in row["choices"].split(), row
    assert schema("vllm").pinned == schema("dynamo").extras["engines"]["vllm"]
    assert schema("sglang").pinned == schema("dynamo").extras["engines"]["sglang"]
    with pytest.raises(InputError, match="vllm"):
        schema("llvm")


def test_a_row_of_the_search_becomes_settings():
    arch = from_config("llama3-8b", CATALOG.get("model", "llama3-8b").config)
    chip = chip_from_record(CATALOG.get("accelerator", "h200-sxm"))
    found = frontier(arch, chip, input_tokens=4000, output_tokens=500, tpot_s=0.05, engine="vllm", max_points=6)
    assert len(found)
    for row in found.rows():
        made = settings_of(row, "llama3-8b", "hgx-h200", Goal(4000, 500, math.inf, 0.05), catalog=CATALOG)
        prefill, serve = parse_mapping(row["mapping"])
        assert made.serve.name == serve.name and (made.prefill is None) == (prefill is None)
        assert made.serve.max_requests == round(row["concurrency"])
        assert made.predicted.tpot_range[0] < 1.0 < made.predicted.tpot_range[1]
        if prefill:
            per_decode = made.chips / made.serve.replicas
            assert per_decode == pytest.approx(row["chips_per_replica"], rel=0.2)
        emit(made, row["engine"])
        emit(made, "dynamo")


def test_a_fleet_is_filled_with_whole_workers():
    row = {"mapping": "tp4 prefill + tp8 decode", "concurrency": 100.0, "chips_per_replica": 10.0, "engine": "vllm"}
    row |= {
        "precision": "fp8",
        "ttft_s": 0.5,
        "tpot_s": 0.02,
        "tokens_out_per_s_per_chip": 900.0,
        "low": 0.8,
        "high": 1.2,
    }
    made = settings_of(row, "llama3-70b", "hgx-h200", GOAL, fleet_chips=64, catalog=CATALOG)
    assert (made.prefill.replicas, made.serve.replicas) == (3, 6) and made.chips <= 64
    alone = settings_of(row, "llama3-70b", "hgx-h200", GOAL, catalog=CATALOG)
    assert (alone.prefill.replicas, alone.serve.replicas) == (1, 2)
    near = settings_of(row | {"chips_per_replica": 12.16}, "llama3-70b", "hgx-h200", GOAL, catalog=CATALOG)
    assert (near.prefill.replicas, near.serve.replicas) == (1, 1)  # 1.04 workers: one comes within 5 %
    more = row | {"token_budget": 2048.0, "eager": True, "host_cache_bytes": 1e11}
    told = settings_of(more, "llama3-70b", "hgx-h200", GOAL, catalog=CATALOG)
    assert (told.serve.token_budget, told.cuda_graphs, told.offload_bytes) == (2048, False, 4e11)
    with pytest.raises(InputError, match="at least 12 chips"):
        settings_of(row, "llama3-70b", "hgx-h200", GOAL, fleet_chips=8, catalog=CATALOG)
    plain = row | {"mapping": "tp8", "chips_per_replica": 8.0}
    assert settings_of(plain, "llama3-70b", "hgx-h200", GOAL, fleet_chips=64, catalog=CATALOG).serve.replicas == 8
    for bad in ("tp8-tp4", "tp0", "", "8"):
        with pytest.raises(InputError, match="no layout"):
            parse_layout(bad)
    with pytest.raises(InputError, match="no layout"):
        settings_of(row | {"mapping": "xp8"}, "llama3-70b", "hgx-h200", GOAL, catalog=CATALOG)


@given(st.integers(0, 2), st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_the_name_of_a_layout_and_back(stages, ranks, tensor, spread):
    pool = Pool(2 ** (stages + ranks + tensor), 2**ranks, 2 ** (ranks + tensor) if spread else 1, 2**stages)
    assert parse_layout(pool.name) == parse_layout("-".join(reversed(pool.name.split("-")))) == pool


MODEL = ModelFacts("mix", "org/mix", "fp8", experts=64, heads=64, layers=48, max_positions=131072, mtp_layers=1)


@st.composite
def legal(draw, engine):
    """Settings that an engine can launch."""

    def pool():
        node = 8
        tensor, ranks, stages = (
            draw(st.sampled_from([1, 2, 4, 8])),
            draw(st.sampled_from([1, 2, 4, 8, 16])),
            draw(st.sampled_from([1, 2])),
        )
        if engine == "trtllm" and ranks > 1:
            tensor = 1
        stage = tensor * ranks
        if stage * stages > node and ranks > 1 and tensor * stages > node:
            stages, tensor = 1, min(tensor, node)
            stage = tensor * ranks
        ways = [1, stage] + ([2] if engine == "trtllm" and stage % 2 == 0 else [])
        ways += [stage // 2] if engine == "sglang" and ranks == 1 and stage > 1 else []
        ways = [w for w in ways if w <= 64]
        return Pool(
            stage * stages,
            ranks,
            draw(st.sampled_from(ways)),
            stages,
            draw(st.integers(1, 5)),
            draw(st.integers(0, 4000)),
            draw(st.sampled_from([4096, 8192, 16384])),
        )

    apart = draw(BOOLS)
    connectors = ["nixl", "mooncake"] + (["ucx"] if engine == "trtllm" else [])
    drafted, cached = draw(st.integers(0, 4)), draw(BOOLS)
    return Settings(
        MODEL,
        H200,
        pool(),
        prefill=pool() if apart else None,
        engine=engine,
        precision=draw(st.sampled_from(["fp8", "bf16"])),
        kv_precision=draw(st.sampled_from(["bf16", "fp8"])),
        context_tokens=draw(st.sampled_from([0, 2048, 32768])),
        prefix_caching=cached,
        draft_tokens=drafted,
        draft_model="org/draft" if drafted and draw(BOOLS) else "",
        cuda_graphs=draw(BOOLS),
        offload_bytes=0.0 if not cached or (apart and engine == "vllm") else draw(st.sampled_from([0.0, 2e12])),
        connector=draw(st.sampled_from(connectors)),
        memory_share=draw(st.floats(0.1, 1.0)),
        predicted=draw(st.sampled_from([None, SEEN])),
    )


# What every engine must be told, under the names it has for it.
CONTEXT = {"vllm": "--max-model-len", "sglang": "--context-length", "trtllm": "max_seq_len"}
SHARE = {
    "vllm": "--gpu-memory-utilization",
    "sglang": "--mem-fraction-static",
    "trtllm": "kv_cache_config.free_gpu_memory_fraction",
}
CACHE = {"vllm": "--kv-cache-dtype", "sglang": "--kv-cache-dtype", "trtllm": "kv_cache_config.dtype"}


def said(engine, words, asked, pool):
    assert int(words.get(CONTEXT[engine], 0)) == asked.context_tokens
    assert float(words[SHARE[engine]]) == pytest.approx(asked.memory_share, rel=1e-5)
    assert str(words[CACHE[engine]]).startswith("fp8" if asked.kv_precision == "fp8" else "auto")
    if engine == "vllm":
        assert ("--enable-prefix-caching" in words) == asked.prefix_caching != ("--no-enable-prefix-caching" in words)
        assert ("--enforce-eager" in words) != asked.cuda_graphs
        drafted = (
            json.loads(words["--speculative-config"])["num_speculative_tokens"]
            if "--speculative-config" in words
            else 0
        )
        assert int(words["--max-num-batched-tokens"]) == pool.token_budget
    elif engine == "sglang":
        assert ("--disable-radix-cache" in words) != asked.prefix_caching
        assert ("--cuda-graph-backend-decode" in words) != asked.cuda_graphs
        drafted = int(words.get("--speculative-num-steps", 0))
        assert int(words.get("--speculative-num-draft-tokens", 1)) == drafted + 1
        assert int(words["--chunked-prefill-size"]) == pool.token_budget * pool.attention_dp
    else:
        assert words["kv_cache_config.enable_block_reuse"] == asked.prefix_caching
        drafted = words.get("speculative_config.max_draft_len", 0)
        assert ("speculative_config.speculative_model" in words) == bool(asked.draft_model)
    assert drafted == asked.draft_tokens


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_legal_settings_add_up(engine, data):
    """Whatever is legal is emitted, checks, and says the same chips and requests in the engine's own words."""
    asked = data.draw(legal(engine))
    files = taken_apart(emit(asked, engine))
    for role, pool in asked.pools:
        stem = "serve" if role == "serve" else f"serve-{role}"
        words = files[f"{stem}.sh"]
        if engine == "trtllm":
            config = files["config.yaml" if role == "serve" else f"{role}.yaml"]
            assert config["tensor_parallel_size"] * config["pipeline_parallel_size"] == pool.chips
            assert config["moe_tensor_parallel_size"] * config["moe_expert_parallel_size"] == pool.stage
            ranks = config["tensor_parallel_size"] if config["enable_attention_dp"] else 1
            held = ranks * config.get("max_batch_size", 0)
        elif engine == "vllm":
            ranks = int(words.get("--data-parallel-size", 1))
            stages = int(words.get("--pipeline-parallel-size", 1))
            assert int(words["--tensor-parallel-size"]) * ranks * stages == pool.chips
            held = ranks * int(words.get("--max-num-seqs", 0))
            assert ("--enable-expert-parallel" in words) == (pool.expert_parallel > 1)
        else:
            ranks = int(words.get("--attn-dp-size", 1))
            assert int(words["--tp-size"]) * int(words.get("--pp-size", 1)) == pool.chips
            assert int(words["--tp-size"]) % ranks == 0
            assert int(words.get("--ep-size", 1)) == pool.expert_parallel
            held = int(words.get("--max-running-requests", 0))
        said(engine, words if engine != "trtllm" else config, asked, pool)
        assert ranks == pool.attention_dp
        assert pool.max_requests <= held < pool.max_requests + pool.attention_dp or held == pool.max_requests == 0
    taken_apart(emit(asked, "dynamo"))
