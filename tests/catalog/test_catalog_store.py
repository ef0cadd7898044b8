"""Reading records: overlays, `extends`, places of errors, the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog, cache
from gigawatt.core.errors import InputError

CHIP = """\
id: {id}
vendor: nvidia
generation: hopper
stack: cuda
source: my own measurement
kind: measured
as_of: 2026
peak_flops: {{bf16: 500 TFLOP/s}}
memory: 64 GB
tdp: {tdp}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GIGAWATT_CACHE", str(tmp_path / "cache"))


def put(folder: Path, kind: str, name: str, text: str) -> Path:
    file = folder / kind / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder


def problem(overlay: Path, kind: str, name: str):
    with pytest.raises(InputError) as caught:
        Catalog.load((overlay,)).get(kind, name)
    return caught.value.problems


def test_an_overlay_adds_a_record_and_inherits_the_head(tmp_path):
    cat = Catalog.load((put(tmp_path, "accelerator", "mine", CHIP.format(id="mine", tdp="650 W")),))
    tdp = cat.get("accelerator", "mine").tdp
    assert (tdp.value, tdp.unit, tdp.kind, tdp.source, tdp.as_of) == (
        650,
        "W",
        "measured",
        "my own measurement",
        "2026",
    )
    assert tdp.path == "accelerator/mine.tdp"
    assert "mine" in cat.ids("accelerator")
    assert "mine" not in Catalog.load().ids("accelerator")


def test_an_overlay_extends_the_record_below_it_and_each_value_keeps_its_source(tmp_path):
    text = "extends: h100-sxm\nsource: my contract\nkind: filing\nas_of: 2026-05\n"
    text += "price: 28000 USD\ntdp: {value: 650 W, note: capped}\n"
    cat = Catalog.load((put(tmp_path, "accelerator", "h100-sxm", text),))
    mine, theirs = cat.get("accelerator", "h100-sxm"), Catalog.load().get("accelerator", "h100-sxm")
    assert (mine.price.value, mine.price.source, mine.price.kind) == (28000, "my contract", "filing")
    assert (mine.tdp.value, mine.tdp.source) == (650, "my contract")
    assert mine.memory == theirs.memory, "the base's value with the base's source"
    assert mine.peak_flops == theirs.peak_flops
    assert mine.flags == theirs.flags


def test_a_changed_value_never_passes_for_one_of_the_old_source(tmp_path):
    text = "extends: gb300-nvl72\nsoftware: {serving: 0.8}\n"
    cat = Catalog.load((put(tmp_path, "platform", "slow", text),))
    software = cat.get("platform", "slow").software
    assert software.serving.value == 0.8
    assert software.serving.source == "", "no source was given, so none is claimed"
    assert software.training.source == Catalog.load().get("platform", "gb300-nvl72").software.training.source


def test_the_last_overlay_wins(tmp_path):
    first = put(tmp_path / "a", "accelerator", "mine", CHIP.format(id="mine", tdp="600 W"))
    second = put(tmp_path / "b", "accelerator", "mine", "extends: mine\nsource: me\ntdp: 500 W\n")
    assert Catalog.load((first, second)).get("accelerator", "mine").tdp.value == 500
    assert Catalog.load((first,)).get("accelerator", "mine").tdp.value == 600


def test_circular_extends_names_the_cycle(tmp_path):
    put(tmp_path, "accelerator", "a", "extends: b\n")
    put(tmp_path, "accelerator", "b", "extends: c\n")
    found = problem(put(tmp_path, "accelerator", "c", "extends: a\n"), "accelerator", "a")
    assert found[0].code == "circular_extends"
    assert "a -> b -> c -> a" in found[0].message
    assert found[0].where.line == 1


def test_a_record_that_extends_itself_is_a_circle(tmp_path):
    found = problem(put(tmp_path, "accelerator", "mine", "extends: mine\n"), "accelerator", "mine")
    assert found[0].code == "circular_extends"


def test_extending_nothing_names_the_nearest(tmp_path):
    found = problem(put(tmp_path, "accelerator", "mine", "extends: h100-smx\n"), "accelerator", "mine")
    assert "did you mean 'h100-sxm'?" in found[0].hints


def test_every_problem_at_once_each_at_its_place(tmp_path):
    text = (
        CHIP.format(id="mine", tdp="650 kg")
        + "memroy_type: HBM\nscaleup_domain: 0\nprice: {value: 5 USD, kind: hearsay}\n"
    )
    found = problem(put(tmp_path, "accelerator", "mine", text), "accelerator", "mine")
    by_line = {p.where.line: p for p in found}
    assert set(by_line) == {10, 11, 12, 13}
    assert "not a power" in by_line[10].message
    assert by_line[11].code == "unknown_field"
    assert "did you mean 'memory_type'?" in by_line[11].hints
    assert "hearsay" in by_line[13].message


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("700", "no unit"),
        ("{value: 700 W, low: 800 W}", "does not hold"),
        ("{value: 700 W, sorce: me}", "did you mean 'source'?"),
        ("{low: 700 W}", "needs 'value'"),
        ("seven hundred watts", "not a quantity"),
        ("700 Wattz", "power"),
        ("-700 W", "below zero"),
        ("{value: 700 W, low: -1 W}", "below zero"),
        ("true", "not True"),
        ("[700 W]", "expected a quantity"),
    ],
)
def test_bad_values_are_told_in_words(tmp_path, written, told):
    found = problem(put(tmp_path, "accelerator", "mine", CHIP.format(id="mine", tdp=written)), "accelerator", "mine")
    assert len(found) == 1
    assert told in found[0].message
    assert found[0].where.line == 10


def test_the_id_is_the_name_of_the_file(tmp_path):
    found = problem(put(tmp_path, "accelerator", "mine", CHIP.format(id="yours", tdp="1 W")), "accelerator", "mine")
    assert found[0].code == "id_not_file_name"


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_a_file_that_is_no_record(tmp_path, text):
    found = problem(put(tmp_path, "accelerator", "mine", text), "accelerator", "mine")
    assert found[0].code == "not_a_record"


def test_unknown_ids_and_kinds_name_the_nearest(tmp_path):
    cat = Catalog.load()
    with pytest.raises(InputError, match="gb300-nvl72"):
        cat.get("platform", "gb300-nvl27")
    with pytest.raises(InputError, match="platform"):
        cat.ids("platforms")
    with pytest.raises(InputError):
        cat.get("platform", "../../../etc/passwd")
    with pytest.raises(InputError, match="no folder"):
        Catalog.load((tmp_path / "nowhere",))
    (tmp_path / "o" / "accelerators").mkdir(parents=True)
    with pytest.raises(InputError, match="did you mean 'accelerator'"):
        Catalog.load((tmp_path / "o",))


def test_where_a_value_stands():
    cat = Catalog.load()
    for path in (
        "accelerator/h100-sxm.tdp",
        "platform/gb300-nvl72.modes.efficient.power_share",
        "model/qwen3.5-397b-a17b.parameters_published",
    ):
        where = cat.where(path)
        line = Path(where.file).read_text().splitlines()[where.line - 1]
        assert path.split(".")[-1] + ":" in line


def test_the_cache_holds_the_same_record_and_follows_the_text(tmp_path):
    overlay = put(tmp_path / "o", "accelerator", "mine", CHIP.format(id="mine", tdp="650 W"))
    fresh = Catalog.load((overlay,)).get("accelerator", "mine")
    files = list((cache.folder() / "catalog" / "accelerator").glob("mine@*.json"))
    assert len(files) == 1
    assert Catalog.load((overlay,)).get("accelerator", "mine") == fresh
    put(tmp_path / "o", "accelerator", "mine", CHIP.format(id="mine", tdp="300 W"))
    assert Catalog.load((overlay,)).get("accelerator", "mine").tdp.value == 300
    assert len(list(files[0].parent.glob("mine@*.json"))) == 1, "the old version is dropped"


def test_the_cache_follows_what_is_extended(tmp_path):
    put(tmp_path / "o", "accelerator", "base", CHIP.format(id="base", tdp="650 W"))
    overlay = put(tmp_path / "o", "accelerator", "mine", "extends: base\nsource: me\n")
    assert Catalog.load((overlay,)).get("accelerator", "mine").tdp.value == 650
    put(tmp_path / "o", "accelerator", "base", CHIP.format(id="base", tdp="300 W"))
    assert Catalog.load((overlay,)).get("accelerator", "mine").tdp.value == 300


def test_a_broken_or_forbidden_cache_is_no_fault(tmp_path, monkeypatch):
    cat = Catalog.load()
    record = cat.get("accelerator", "h100-sxm")
    for file in (cache.folder() / "catalog" / "accelerator").glob("h100-sxm@*.json"):
        file.write_text("{broken")
    assert Catalog.load().get("accelerator", "h100-sxm") == record
    for file in (cache.folder() / "catalog" / "accelerator").glob("h100-sxm@*.json"):
        file.write_text(json.dumps({"id": "h100-sxm"}))
    assert Catalog.load().get("accelerator", "h100-sxm") == record
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GIGAWATT_CACHE", str(tmp_path / "file"))
    assert Catalog.load().get("accelerator", "h100-sxm") == record


def test_packaged_records_survive_the_round_trip():
    first = Catalog.load()
    records = {(kind, name): first.get(kind, name) for kind in first.kinds for name in first.ids(kind)}
    second = Catalog.load()
    for (kind, name), record in records.items():
        assert second.get(kind, name) == record


@given(st.floats(min_value=1e-3, max_value=1e6), st.sampled_from(["W", "kW", "MW"]))
def test_a_power_reads_the_same_in_text_and_in_full(value, unit):
    from gigawatt.catalog.records import Accelerator

    head = {"id": "x", "vendor": "v", "generation": "g", "stack": "s", "peak_flops": {}}
    short = Accelerator.model_validate({**head, "tdp": f"{value!r} {unit}"})
    full = Accelerator.model_validate({**head, "tdp": {"value": value, "unit": unit}})
    assert short.tdp.value == full.tdp.value
    assert short.tdp.unit == "W"
