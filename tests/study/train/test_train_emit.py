"""Launch settings of training: what is written passes the recorded release, reads back as the same mapping, or is refused."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace

import numpy as np
import pytest
from ruamel.yaml import YAML

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.training import Mapping, evaluate
from gigawatt.physics.training.columns import ACTIVATION, CORE_ATTENTION, NORM
from gigawatt.physics.workload import from_config
from gigawatt.study.train.emit import FRAMEWORKS, check, emit, mapping_of, problems, schema, settings_of
from gigawatt.study.train.emit.maxtext import axes, mesh

CATALOG = Catalog.load()
# 405B on 2,048 B200: chunks of 126 layers and two ends divide by 8 x 4.
DENSE = Mapping(
    chips=2048.0, tp=8.0, pp=8.0, vpp=4.0, dp=16.0, cp=2.0, ep=1.0, micro_batch=1.0, global_batch=512.0, seq=8192.0
)
SPARSE = Mapping(
    chips=2048.0, tp=2.0, pp=16.0, vpp=1.0, dp=64.0, cp=1.0, ep=64.0, micro_batch=1.0, global_batch=4096.0, seq=4096.0
)
FSDP = Mapping(
    chips=512.0, tp=8.0, pp=1.0, vpp=1.0, dp=64.0, cp=1.0, ep=1.0, micro_batch=1.0, global_batch=512.0, seq=8192.0,
    sharding=3.0,
)  # fmt: skip


def dense(**columns: float):
    return settings_of("llama3-405b", "hgx-b200", replace(DENSE, **columns), "fp8", tokens=15e12, save_every=40)


def sparse(**columns: float):
    return settings_of("deepseek-v3", "hgx-h100", replace(SPARSE, **columns), "fp8")


def whole(model: str = "llama3-405b", place: str = "hgx-b200", stack: str = "fsdp-compile", **columns: float):
    return settings_of(model, place, replace(FSDP, **columns), "bf16", stack=stack)


def refused(settings, framework: str) -> str:
    with pytest.raises(InputError) as told:
        emit(settings, framework)
    return str(told.value)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_records_name_their_release(framework):
    known = schema(framework)
    assert known.release
    assert known.date.startswith("2026")
    assert known.source_url.startswith("https://")
    commands = [*known.commands.values(), *known.files.values()]
    assert sum(len(command.arguments) for command in commands) > 100


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_a_record_means_is_recorded(framework):
    """Every argument that has a meaning in our words exists in the release."""
    from gigawatt.core import document
    from gigawatt.study.train.emit.schema import FOLDER

    head = document.read(FOLDER / f"{framework}.yaml").data
    known = schema(framework)
    for group, means in head["means"].items():
        layout = known.commands.get(group) or known.files[group]
        assert set(means) <= set(layout.arguments), set(means) - set(layout.arguments)


def test_models_by_name_are_in_the_catalog_and_in_the_release():
    for framework in ("torchtitan", "maxtext"):
        known = schema(framework)
        assert set(known.extras["models"]) <= set(CATALOG.ids("model"))
    sizes = schema("torchtitan").files["flavors"].arguments
    for name, flavor in schema("torchtitan").extras["models"].values():
        assert flavor in sizes[name].choices
    names = schema("maxtext").files["config"].arguments["model_name"].choices
    assert set(schema("maxtext").extras["models"].values()) <= set(names)


CASES = {
    "dense": dense(),
    "selective": dense(modules=CORE_ATTENTION),
    "modules": sparse(modules=NORM + ACTIVATION),
    "block": dense(recompute=0.5),
    "full": dense(recompute=1.0),
    "offload": dense(offload_optimizer=0.5),
    "gathered": dense(context=1.0),
    "swapped": dense(context=2.0),
    "plain": dense(overlap_dp=0.0, overlap_tp=0.0, overlap_pp=0.0, sharding=0.0),
    "groups": dense(shard_ranks=8.0),
    "sparse": sparse(),
    "paired": sparse(paired=1.0, vpp=2.0),
    "tensor experts": sparse(etp=2.0, ep=16.0),
    "uneven chunks": dense(pp=4.0, vpp=5.0, dp=32.0),
    "fsdp": whole(stack=""),
    "zero2": whole(stack="", sharding=2.0),
    "gpt": settings_of("gpt3-175b", "dgx-a100", replace(DENSE, seq=2048.0, cp=1.0, dp=32.0), "bf16"),
}


@pytest.mark.parametrize("name", CASES)
def test_megatron_reads_back_as_the_same_mapping_and_step(name):
    made = CASES[name]
    script = emit(made, "megatron").files["pretrain.sh"]
    check(script, "megatron")
    read = mapping_of(script, made.chips)
    for column in fields(Mapping):
        wanted, found = (float(getattr(m, column.name)) for m in (made.mapping, read))
        assert found == pytest.approx(wanted, rel=1e-6), column.name
    record = CATALOG.get("model", made.model)
    platform = CATALOG.get("platform", made.machine.name)
    chip = chip_from_record(CATALOG.get("accelerator", platform.accelerator))
    arch = from_config(record.id, record.config)
    first, second = (evaluate(arch, chip, m, "bf16", stack=made.software.name).step_s for m in (made.mapping, read))
    assert np.ravel(first)[0] == pytest.approx(np.ravel(second)[0], rel=1e-9)


def test_megatron_says_the_model_and_what_it_was_made_for():
    script = emit(sparse(), "megatron").files["pretrain.sh"]
    for words in (
        "--multi-latent-attention",
        "--num-experts 256",
        "--moe-layer-freq '([0]*3+[1]*58)'",
        "--pipeline-model-parallel-layout 'Ettt|tttt|tttt",
        "--moe-flex-dispatcher-backend deepep",
        "--expert-tensor-parallel-size 1",
        "# Made for: deepseek-v3 on 2,048 GPUs",
    ):
        assert words in script
    script = emit(dense(), "megatron").files["pretrain.sh"]
    assert "--account-for-embedding-in-pipeline-split" in script
    assert "--train-iters 3576279" in script
    assert "--save-interval 40" in script


def test_a_script_of_megatron_with_a_wrong_word_is_told_with_the_nearest():
    script = emit(dense(), "megatron").files["pretrain.sh"]
    found = problems(script.replace("--tensor-model-parallel-size 8", "--tensor-parallel-size eight"), "megatron")
    assert "has no argument '--tensor-parallel-size'" in found[0].message
    assert found[0].hints
    found = problems(script.replace("--micro-batch-size 1", "--micro-batch-size one"), "megatron")
    assert "takes a whole number" in found[0].message
    found = problems(script.replace("--attention-backend auto", "--attention-backend flesh"), "megatron")
    assert "did you mean 'flash'?" in found[0].hints


def test_torchtitan_says_degrees_batch_and_recompute():
    text = emit(whole(recompute=0.5, cp=2.0, dp=32.0), "torchtitan").files["train.toml"]
    data = tomllib.loads(text)
    assert data["model"] == {"name": "llama3", "flavor": "405B", "hf_assets_path": "./assets/hf/llama3-405b"}
    assert data["parallelism"]["data_parallel_shard_degree"] == 32
    assert data["parallelism"]["context_parallel_rotate_method"] == "alltoall"
    assert data["activation_checkpoint"] == {"mode": "selective", "selective_ac_option": "2"}
    product = 1
    for name in (
        "data_parallel_replicate",
        "data_parallel_shard",
        "tensor_parallel",
        "context_parallel",
        "pipeline_parallel",
    ):
        product *= data["parallelism"][f"{name}_degree"]
    assert product == 512


@pytest.mark.parametrize(
    "columns", [{}, {"pp": 2.0, "dp": 32.0, "vpp": 2.0}, {"pp": 2.0, "dp": 32.0, "micro_batch": 2.0}]
)
def test_torchtitan_runs_the_whole_batch(columns):
    data = tomllib.loads(emit(whole(sharding=2.0, **columns), "torchtitan").files["train.toml"])
    training, degrees = data["training"], data["parallelism"]
    ranks = degrees["data_parallel_replicate_degree"] * degrees["data_parallel_shard_degree"]
    assert training["global_batch_size"] == 512
    assert training["global_batch_size"] % (training["local_batch_size"] * ranks) == 0
    if columns:
        assert degrees["pipeline_parallel_schedule"] == ("Interleaved1F1B" if "vpp" in columns else "1F1B")
        assert training["local_batch_size"] * ranks == 512


def test_torchtitan_problems_have_their_lines():
    text = emit(whole(), "torchtitan").files["train.toml"]
    wrong = text.replace('flavor = "405B"', 'flavor = "400B"').replace("seq_len = 8192", "sequence_len = 8192")
    found = problems(wrong, "torchtitan", "train.toml")
    assert {p.code for p in found} == {"unknown_argument", "unknown_choice"}
    line = next(n for n, words in enumerate(wrong.splitlines(), 1) if "sequence_len" in words)
    assert any(p.where and p.where.line == line for p in found)


@pytest.mark.parametrize(
    ("place", "columns"),
    [
        ("hgx-b200", {}),
        ("hgx-b200", {"sharding": 1.0, "recompute": 1.0}),
        ("hgx-b200", {"cp": 2.0, "dp": 32.0, "context": 2.0, "modules": CORE_ATTENTION}),
        ("tpu7x-64", {"offload_optimizer": 1.0}),
    ],
)
def test_maxtext_fills_the_mesh_and_the_batch(place, columns):
    made = whole(place=place, stack="", **columns)
    data = YAML(typ="safe").load(emit(made, "maxtext").files["train.yml"])
    devices = 1
    for name in axes(made):
        devices *= data[f"ici_{name}_parallelism"] * data[f"dcn_{name}_parallelism"]
    assert devices == 512
    inside, _ = mesh(made)
    assert np.prod(list(inside.values())) == min(made.machine.domain_chips, made.chips)
    assert data["per_device_batch_size"] * devices * data["gradient_accumulation_steps"] == pytest.approx(512)


@pytest.mark.parametrize(
    ("framework", "settings", "said", "nearest"),
    [
        ("megatron", dense(schedule=2.0), "runs no zb-h1", "--schedule 1f1b"),
        ("megatron", dense(pp=64.0, vpp=4.0), "fewer than 64 x 4", "fewer stages"),
        ("megatron", dense(recompute=0.5, modules=NORM), "not both", "--recompute"),
        ("megatron", dense(offload_activations=0.5), "activations to the host", "--offload optimizer"),
        ("megatron", dense(lora=1.0), "adapters", "--lora"),
        ("megatron", dense(local_steps=100.0), "every step, not every 100", "--local-steps 1"),
        ("megatron", whole("gpt-oss-120b"), "within a window", "by hand"),
        ("megatron", whole("mamba2-2.7b"), "layers of mamba2", "attention layers alone"),
        ("megatron", whole("gemma3-27b"), "gates with SiLU", ""),
        ("megatron", replace(dense(), precision="fp7"), "no recipe fp7", "--precision"),
        ("megatron", whole(place="tpu7x-64"), "has xla", ""),
        ("megatron", sparse(paired=1.0, vpp=2.0, recompute=1.0), "beside no layers that run again", "--no-pair"),
        ("torchtitan", whole("deepseek-v3", paired=1.0, pp=2.0), "DualPipeV alone", "--no-pair"),
        ("maxtext", whole("deepseek-v3", paired=1.0), "no forward pass beside", "--no-pair"),
        ("torchtitan", dense(), "not the optimizer alone", "--sharding zero2"),
        ("torchtitan", whole("gpt3-175b"), "no size of gpt3-175b", "--emit megatron"),
        ("torchtitan", whole(recompute=0.3), "every n-th layer", "33.3 %"),
        ("torchtitan", whole(context=2.0, cp=2.0, dp=32.0), "no Ulysses", "--context ring"),
        ("torchtitan", whole(offload_optimizer=1.0), "together", "optimizer,weights"),
        ("torchtitan", replace(whole(), precision="nvfp4"), "no recipe nvfp4", "known:"),
        ("maxtext", dense(), "runs no 1f1b", "--schedule gpipe"),
        ("maxtext", whole(sharding=2.0), "not gradients alone", "--sharding fsdp"),
        ("maxtext", whole(recompute=0.25), "by policy", "selective"),
        ("maxtext", whole(tp=16.0, dp=32.0), "reach over the 8 chips", "fewer tensor ranks"),
    ],
)
def test_what_a_framework_can_not_do_is_refused_with_the_nearest(framework, settings, said, nearest):
    text = refused(settings, framework)
    assert said in text
    assert nearest in text


def test_every_contradiction_is_told_at_once():
    text = refused(replace(dense(schedule=2.0, recompute=0.3, modules=NORM), precision="fp7"), "torchtitan")
    assert len(text.splitlines()) > 4
    for said in ("no recipe fp7", "zb-h1", "n-th layer", "not the optimizer alone", "no core to run again"):
        assert said in text
    with pytest.raises(InputError) as told:
        emit(dense(), "megatorn")
    assert "did you mean 'megatron'?" in str(told.value)


def test_torchtitan_names_modules_where_stages_are_uneven():
    made = whole("llama3-70b", sharding=2.0, pp=32.0, dp=2.0, tp=8.0)
    data = tomllib.loads(emit(made, "torchtitan").files["train.toml"])["parallelism"]
    parts = data["module_fqns_per_model_part"]
    assert len(parts) == 32
    named = [name for part in parts for name in part]
    assert named[0] == "tok_embeddings"
    assert named[-2:] == ["norm", "output"]
    assert named[1:-2] == [f"layers.{number}" for number in range(80)]
    assert {len([n for n in part if n.startswith("layers")]) for part in parts} == {2, 3}


TEXT = ("llm", "moe", "hybrid", "state-space", "vlm", "omni")
PLAIN = Mapping(
    chips=64.0, tp=1.0, pp=1.0, vpp=1.0, dp=64.0, cp=1.0, ep=1.0, micro_batch=1.0, global_batch=64.0, seq=2048.0
)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_model_of_the_catalog_is_written_or_refused(framework):
    """No model stops the writer with anything but words, and what is written passes the release."""
    written = 0
    for name in CATALOG.ids("model"):
        if CATALOG.get("model", name).model_kind not in TEXT:
            continue
        mapping = PLAIN if framework == "megatron" else replace(PLAIN, sharding=3.0)
        try:
            emit(settings_of(name, "hgx-h100", mapping, "bf16", catalog=CATALOG), framework)
            written += 1
        except InputError as refusal:
            assert all(problem.code in ("unsupported", "does_not_divide") for problem in refusal.problems), name
    assert written >= {"megatron": 60, "torchtitan": 15, "maxtext": 30}[framework]
