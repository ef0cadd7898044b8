"""What is refused: settings that contradict themselves or an engine, and arguments that a recorded release does not take."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.study.serve.emit import (
    ENGINES,
    Goal,
    Pool,
    Settings,
    check,
    emit,
    machine_of,
    model_facts,
    parse_layout,
    problems,
)

CATALOG = Catalog.load()
LLAMA = model_facts("llama3-70b", CATALOG)
WIDE = Settings(
    model_facts("deepseek-v3", CATALOG),
    machine_of("hgx-h200", CATALOG),
    replace(parse_layout("dp8-ep8"), max_requests=512),
    context_tokens=8192,
    goal=Goal(4000, 1000, 2.0, 0.03),
)
APART = replace(WIDE, prefill=replace(parse_layout("tp8-ep8"), replicas=3), serve=parse_layout("dp16-ep16"))


def codes(settings_, engine):
    with pytest.raises(InputError) as refused:
        emit(settings_, engine)
    return {p.code for p in refused.value.problems}, str(refused.value)


REFUSED = [
    ("vllm", {"serve": Pool(8, attention_dp=3)}, "does_not_divide", "do not divide 8 chips"),
    ("vllm", {"serve": Pool(8, attention_dp=16)}, "does_not_divide", "16 attention ranks"),
    ("vllm", {"model": LLAMA, "serve": Pool(8, expert_parallel=8)}, "no_experts", "dense model"),
    ("vllm", {"model": LLAMA, "serve": Pool(8, attention_dp=8)}, "use_replicas", "8 replicas of tp1"),
    ("vllm", {"serve": Pool(8, expert_parallel=4)}, "unsupported", "all 8 chips or none"),
    ("trtllm", {"serve": Pool(8, attention_dp=4, expert_parallel=8)}, "unsupported", "one attention rank"),
    ("sglang", {"serve": Pool(8, attention_dp=8, expert_parallel=4)}, "unsupported", "DeepEP"),
    ("vllm", {"serve": Pool(12)}, "does_not_divide", "no whole number of nodes"),
    ("vllm", {"serve": Pool(0)}, "wrong_value", "chips is 0"),
    ("vllm", {"serve": Pool(8, max_requests=9000)}, "wrong_value", "do not fit a step"),
    ("vllm", {"kv_precision": "int3"}, "unknown_name", "int3"),
    ("vllm", {"kv_precision": "fp4"}, "unsupported", "fp4 units"),
    ("trtllm", {"precision": "fp4"}, "unsupported", "has none"),
    ("vllm", {"context_tokens": 400_000}, "too_long", "163,840"),
    ("vllm", {"context_tokens": 4096}, "too_long", "requests of 5,000 tokens"),
    ("vllm", {"model": LLAMA, "serve": Pool(8), "draft_tokens": 2}, "no_draft", "nothing drafts"),
    ("vllm", {"memory_share": 1.5}, "wrong_value", "share of memory"),
    ("vllm", {"prefill": Pool(8), "connector": "pigeon"}, "unknown_name", "pigeon"),
    ("vllm", {"prefill": Pool(8), "offload_bytes": 1e12}, "unsupported", "one or the other"),
    ("sglang", {"offload_bytes": 1e12, "prefix_caching": False}, "contradiction", "prefix caching is off"),
    ("trtllm", {"machine": machine_of("mi300x", CATALOG)}, "unsupported", "rocm"),
    ("dynamo", {"machine": machine_of("mi300x", CATALOG)}, "unsupported", "images of Dynamo"),
    ("vllm", {"model": model_facts("flux-1-dev", CATALOG), "serve": Pool(8)}, "unsupported", "diffusion-image"),
    ("dynamo", {"engine": "vlm"}, "unknown_name", "did you mean 'vllm'?"),
]


@pytest.mark.parametrize(("engine", "changes", "code", "words"), REFUSED)
def test_what_can_not_be_is_refused(engine, changes, code, words):
    found, text = codes(replace(WIDE, **changes), engine)
    assert code in found and words in text


def test_all_problems_at_once():
    bad = replace(
        WIDE, model=LLAMA, memory_share=0.0, context_tokens=4096, draft_tokens=-1, serve=Pool(8, expert_parallel=8)
    )
    found, text = codes(bad, "vllm")
    assert {"no_experts", "too_long", "wrong_value"} <= found and text.count("\n") >= 3
    with pytest.raises(InputError, match="did you mean 'vllm'"):
        emit(WIDE, "vlm")


WRONG = [
    ("vllm", "vllm serve m --tensor-paralel-size 8", "unknown_argument", "--tensor-parallel-size"),
    ("vllm", "vllm serve m --tensor-parallel-size eight", "wrong_type", "a whole number"),
    ("vllm", "vllm serve m --tensor-parallel-size 0", "out_of_range", "at least 1"),
    ("vllm", "vllm serve m --gpu-memory-utilization 1.2", "out_of_range", "at most 1"),
    ("vllm", "vllm serve m --kv-cache-dtype fp9", "unknown_choice", "fp8"),
    ("vllm", "vllm serve m --max-num-seqs --port 1", "no_value", "needs a value"),
    ("vllm", "vllm serve m --enable-expert-parallel=yes", "wrong_value", "takes no value"),
    ("vllm", "vllm serve m n", "unexpected_word", "'n'"),
    ("vllm", "vllm serve m --speculative-config '{mtp'", "wrong_type", "JSON"),
    ("vllm", "vllm serve m --no-headless", "unknown_argument", "no argument"),
    ("vllm", 'vllm serve m -sc \'{"methods": "mtp"}\'', "unknown_argument", "did you mean 'method'"),
    ("vllm", 'vllm serve m -sc \'{"num_speculative_tokens": "two"}\'', "wrong_type", "a whole number"),
    ("vllm", "vllm serve m --kv-transfer-config.kv_role kv_neither", "unknown_choice", "kv_both"),
    ("vllm", "echo vllm serve m", "no_command", "vllm serve"),
    ("sglang", "python3 -m sglang.launch_server --moe-a2a-backend deepeep", "unknown_choice", "did you mean 'deepep'"),
    ("sglang", "python3 -m sglang.launch_server --tensor-parallel 8", "unknown_argument", "--tensor-parallel-size"),
    ("trtllm", "trtllm-serve m --kv_cache_dtype fp5", "unknown_choice", "auto, fp8, nvfp4"),
    ("trtllm", "kv_cache_config:\n  dtyp: fp8\n", "unknown_argument", "kv_cache_config.dtype"),
    ("trtllm", "moe_config:\n  backend: WIDEEP\n", "unknown_choice", "DEEPGEMM"),  # gone since
    ("trtllm", "enable_attention_dp: 8\n", "wrong_type", "true or false"),
    ("trtllm", "kv_cache_config: fp8\n", "wrong_type", "is a structure"),
    ("vllm", "tensor-parallel-size: eight\n", "wrong_type", "a whole number"),
    ("sglang", "tp_sizes: 8\n", "unknown_argument", "--tp-size"),
    ("trtllm", "max_batch_size: many\n", "wrong_type", "a whole number"),
    ("dynamo", "python3 -m dynamo.frontend --router-mode kvv", "unknown_choice", "did you mean 'kv'"),
    ("dynamo", "python3 -m dynamo.sglang --attn-dp-size 8", "unknown_argument", "no argument"),  # newer than is pinned
]


@pytest.mark.parametrize(("engine", "text", "code", "words"), WRONG)
def test_a_wrong_argument_is_refused(engine, text, code, words):
    with pytest.raises(InputError) as refused:
        check(text, engine, "mine.sh")
    assert {p.code for p in refused.value.problems} == {code}
    assert words in str(refused.value)


RIGHT = [
    ("vllm", "vllm serve meta/llama -tp 8 --max_model_len 4096 --no-enable-prefix-caching"),
    ("vllm", "HF_HOME=/data vllm serve m --speculative-config.method mtp --served-model-name a b --port $PORT"),
    ("sglang", "python3 -m sglang.launch_server --model-path m --tensor-parallel-size=8 --context-length 32k"),
    ("vllm", "python -m vllm.entrypoints.openai.api_server --model m --max-model-len 32k"),
    ("vllm", 'vllm serve m --compilation-config \'{"pass_config": {"anything": true}, "cudagraph_mode": "FULL"}\''),
    ("vllm", "model: m\ntensor-parallel-size: 8\nenable-expert-parallel: true\nserved-model-name: [a, b]\n"),
    ("sglang", "sglang serve --model-path m --attn-dp-size 8 --tp-size 8"),
    ("trtllm", "mpirun -n 8 trtllm-llmapi-launch trtllm-serve m --tp_size 8 --no-telemetry"),
    ("trtllm", "cuda_graph_config: null\nmoe_config:\n  backend: TRTLLM\n"),
    (
        "trtllm",
        "kv_cache_config:\n  use_kv_cache_manager_v2: false\n  pool_ratio: [0.5, 0.5]\n  mamba_state_config: {any: 1}\n",
    ),
    ("dynamo", "python3 -m dynamo.vllm --model m --disaggregation-mode decode --tensor-parallel-size 2"),
]


@pytest.mark.parametrize(("engine", "text"), RIGHT)
def test_a_user_s_own_command_passes(engine, text):
    check(text, engine)


GRAPH = """apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: mine, labels: {team: a}}
spec:
  backendFramework: vllm
  components:
    - name: worker
      type: worker
      replicas: 2
      scalingAdapter: {}
      podTemplate:
        spec:
          tolerations: [{key: gpu, operator: Exists}]
          containers:
            - name: main
              startupProbe: {httpGet: {path: /live, port: 9090}}
              command: [/bin/bash, -lc]
              args: ["ulimit -l unlimited; exec python3 -m dynamo.vllm --model m --tensor-parallel-size 8"]
            - {name: logs, image: mine, command: [tail, -f, log]}
"""


def test_a_graph_of_ones_own():
    """What is Kubernetes' own is let be; roles, counts and the commands of the main container are checked."""
    check(GRAPH, "dynamo")
    for old, new, words in (
        ("type: worker", "type: wrker", "did you mean 'worker'?"),
        ("replicas: 2", "replicas: -1", "at least 0"),
        ("replicas: 2", "replica: 2", "replicas'?"),
        ("--tensor-parallel-size", "--tensor-parallel-sizes", "did you mean '--tensor-parallel-size'?"),
        ("v1beta1", "v1alpha1", "nvidia.com/v1beta1"),
        ("exec python3", "exec ./run", "starts no component"),
    ):
        with pytest.raises(InputError) as refused:
            check(GRAPH.replace(old, new, 1), "dynamo")
        assert words in str(refused.value), (old, str(refused.value))


def test_problems_have_their_place():
    text = "#!/bin/bash\n# vllm serve --nonsense\nexport A=1\nexec vllm serve m \\\n  --bogus 1\npython3 x.py --also-bogus\n"
    (problem,) = problems(text, "vllm", "run.sh")
    assert str(problem.where) == "run.sh:4:1"
    (problem,) = problems("max_batch_size: 8\nkv_cache_config:\n  dtype: fp3\n", "trtllm", "c.yaml")
    assert str(problem.where) == "c.yaml:3:10"
    made = emit(replace(APART, engine="vllm"), "dynamo").files["graph.yaml"]
    (problem,) = problems(made.replace("--data-parallel-hybrid-lb", "--data-parallel-hybrid"), "dynamo", "g.yaml")
    assert problem.code == "unknown_argument" and problem.where.line > 50


@given(st.text(alphabet="ab:-=\n\\'\"{}[]#$ ", max_size=60), st.sampled_from(ENGINES), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_text_is_an_answer_or_a_problem(text, engine, started):
    start = {
        "vllm": "vllm serve ",
        "sglang": "sglang serve ",
        "trtllm": "trtllm-serve ",
        "dynamo": "python3 -m dynamo.vllm ",
    }
    try:
        assert all(p.message and p.code for p in problems((start[engine] if started else "") + text, engine))
    except InputError as refused:
        assert refused.problems
