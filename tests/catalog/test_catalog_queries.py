"""What `catalog list | show | diff | audit` say."""

from __future__ import annotations

import pytest

from gigawatt.catalog import KINDS, Catalog
from gigawatt.catalog.display import shown
from gigawatt.catalog.queries import audit, diff_table, list_table, show_tables
from gigawatt.core.errors import InputError

CAT = Catalog.load()


def test_list_without_a_kind_counts_all_records():
    table = list_table(CAT)
    assert {row["kind"]: row["records"] for row in table.rows()} == {kind: len(CAT.ids(kind)) for kind in KINDS}
    assert all(row["what"].endswith(".") for row in table.rows())


@pytest.mark.parametrize("kind", list(KINDS))
def test_list_has_a_row_for_every_record(kind):
    table = list_table(CAT, kind)
    assert list(table.columns["id"]) == CAT.ids(kind)


def test_list_matches_ids_names_and_aliases():
    assert list(list_table(CAT, "model", "deepseek-r1-0528").columns["id"]) == ["deepseek-v3"]
    assert "tpu7x" in list_table(CAT, "accelerator", "IRONWOOD").columns["id"]
    with pytest.raises(InputError, match="accelerator"):
        list_table(CAT, "accelerators")


@pytest.mark.parametrize(("kind", "name"), [(kind, CAT.ids(kind)[0]) for kind in KINDS if CAT.ids(kind)])
def test_show_tells_every_value_with_its_source(kind, name):
    tables = {table.name: table for table in show_tables(CAT, kind, name)}
    assert {"field": "id", "value": name} in tables["record"].as_json()
    for row in tables["values"].rows() if "values" in tables else []:
        assert row["source"] and row["kind"], row
        assert row["low"] <= row["value"] <= row["high"], row


def test_diff_holds_the_ratio_and_only_what_differs():
    rows = {row["field"]: row for row in diff_table(CAT, "accelerator", "h100-sxm", "h200-sxm").rows()}
    assert rows["memory_bandwidth"]["ratio"] == pytest.approx(4.8 / 3.35, rel=1e-3)
    assert "peak_flops.bf16" not in rows
    assert not len(diff_table(CAT, "accelerator", "h100-sxm", "h100-sxm"))


def test_audit_finds_nothing_wrong_in_the_package():
    assert not [row for row in audit(CAT).rows() if row["severity"] == "wrong"]


def test_audit_finds_the_traps_of_a_data_sheet(tmp_path):
    folder = tmp_path / "accelerator"
    folder.mkdir()
    (folder / "trap.yaml").write_text(
        "vendor: nvidia\ngeneration: blackwell\nstack: cuda\nas_of: 2020\n"
        "peak_flops: {bf16: 1000 TFLOP/s, fp8: 4000 TFLOP/s, fp4: 16000 TFLOP/s}\n"
        "memory: 192 GiB\nmemory_bandwidth: 8 TB/s\nscaleup_bandwidth: 1800 GB/s\nscaleup_technology: NVLink5\n"
        "price: {value: 30000 USD, source: press}\n"
    )
    found = {(r["severity"], r["field"]): r["finding"] for r in audit(Catalog.load((tmp_path,)), "accelerator").rows()
             if r["id"] == "trap"}  # fmt: skip
    assert "sparse" in found["trap", "peak_flops.fp8"]
    assert "sparse" in found["trap", "peak_flops.fp4"]
    assert "both directions" in found["wrong", "scaleup_bandwidth"]
    assert "GiB" in found["trap", "memory"]
    assert any(severity == "missing" and "tdp" in field for severity, field in found)
    assert ("wrong", "memory_bandwidth") in found, "no source"
    assert ("stale", "price") in found
    assert ("weak", "price") in found, "assumed, with no range"


def test_audit_goes_on_where_a_record_is_broken(tmp_path):
    (tmp_path / "accelerator").mkdir()
    (tmp_path / "accelerator" / "broken.yaml").write_text("tdp: nonsense\n")
    rows = [row for row in audit(Catalog.load((tmp_path,))).rows() if row["id"] == "broken"]
    assert rows and all(row["severity"] == "wrong" for row in rows)


@pytest.mark.parametrize(
    ("value", "unit", "number", "name"),
    [
        (142e3, "W", 142, "kW"),
        (700, "W", 700, "W"),
        (1e7, "W", 10, "MW"),
        (3.35e12, "byte/s", 3350, "GB/s"),
        (0.2e-6, "USD/token", 0.2, "USD/Mtok"),
        (5.03e6, "USD", 5.03, "million USD"),
        (48 / 3.6e9, "USD/J", 48, "USD/MWh"),
        (11.3, "USD/W", 11.3, "million USD/MW"),
        (298.15, "K", 25, "degC"),
        (7.4e-6, "s", 7.4, "us"),
        (2 * 8760 * 3600.0, "s", 2, "yr"),
    ],
)
def test_units_for_people(value, unit, number, name):
    assert shown(value, unit) == (pytest.approx(number), name)
