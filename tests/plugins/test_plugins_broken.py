"""Plug-ins that do not keep their form: who brought them and what is wrong is told, and nothing else is taken down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.catalog.queries import audit
from gigawatt.core import plugins
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record, chip_watts, kernel_seconds
from gigawatt.physics.fabric import collective_seconds, fabric_from_record, moe_seconds
from gigawatt.study.executors import Done, Serial
from gigawatt.study.executors.plugged import plugged
from gigawatt.study.executors.trial import digests
from gigawatt.study.load import from_data
from gigawatt.study.resolve import resolve
from gigawatt.testing.health import plugin_rows

DEVICE = """
import numpy as np
from gigawatt.physics.chip.models import DeviceModel
{body}
MODEL = DeviceModel(seconds, watts, band=(0.8, 1.25), says="for a test")
"""
RIGHT = (
    "def seconds(rows): return 1e-6 + rows.flops / rows.peak_flops\ndef watts(load): return 100.0 + 500.0 * load.busy"
)


def told(what: Any) -> str:
    with pytest.raises(InputError) as found:
        what()
    return str(found.value)


def overlay(tmp_path: Path, kind: str, name: str, text: str) -> Path:
    file = tmp_path / "facts" / kind / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return tmp_path / "facts"


def modelled_chip(tmp_path: Path) -> Any:
    facts = overlay(
        tmp_path, "accelerator", "h100-sim", "extends: h100-sxm\ndevice_model: sim\nkind: assumed\nsource: test\n"
    )
    return chip_from_record(Catalog.load([facts]).get("accelerator", "h100-sim"))


def device(plug: Any, body: str) -> None:
    plug("odd-sim", {"gigawatt.devices": {"sim": "odd_device:MODEL"}}, {"odd_device.py": DEVICE.format(body=body)})


# -- devices


def test_a_device_model_answers_in_the_place_of_the_calibrations(plug: Any, tmp_path: Path) -> None:
    device(plug, RIGHT)
    chip = modelled_chip(tmp_path)
    m = np.array([64.0, 4096.0])
    found = kernel_seconds(chip, "gemm", "bf16", m=m, n=4096.0, k=4096.0, fused_quantise=True)
    assert found.seconds == pytest.approx(1e-6 + 2 * m * 4096**2 / chip.peak_flops["bf16"])
    assert (found.low_factor, found.high_factor, found.note) == (0.8, 1.25, "device model sim")
    assert chip_watts(chip, 0.5, 0.5, [0.0, 0.5, 1.0]).tolist() == [100.0, 350.0, 600.0]
    decode = kernel_seconds(
        chip, "decode", "bf16", batch=np.ones((3, 1)), length=np.ones(4), heads=8.0, kv_heads=8.0, head_dim=64.0
    )
    assert decode.seconds.shape == (3, 4)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import nothing_of_that_name", "does not import: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemExit(3)", "does not import: SystemExit"),
        (RIGHT.replace("seconds(rows)", "seconds()"), "TypeError"),
        (
            "def seconds(rows): return rows.flops * np.nan\nwatts = None",
            "its seconds are nan for a kernel gemm, bf16 with m 64",
        ),
        ("def seconds(rows): return -rows.flops\nwatts = None", "its seconds are -"),
        ("def seconds(rows): return 0.0 * rows.flops\nwatts = None", "its seconds are 0 for"),
        ("def seconds(rows): return rows.flops[:1]\nwatts = None", "have the shape (1,), and (2,) was asked for"),
        ("def seconds(rows): return 1 / 0\nwatts = None", "failed: ZeroDivisionError: division by zero ("),
    ],
)
def test_a_broken_device_model_is_told_by_name(plug: Any, tmp_path: Path, body: str, said: str) -> None:
    device(plug, body)

    def asked() -> None:
        kernel_seconds(modelled_chip(tmp_path), "gemm", "bf16", m=[64.0, 4096.0], n=4096.0, k=4096.0)

    message = told(asked)
    assert "device model 'sim' of plug-in odd-sim 1.2 can not be used" in message and said in message
    assert "pip uninstall odd-sim" in message
    # what does not name it goes on
    built_in = chip_from_record(Catalog.load().get("accelerator", "h100-sxm"))
    assert kernel_seconds(built_in, "gemm", "bf16", m=64.0, n=4096.0, k=4096.0).seconds > 0
    assert [row["ok"] for row in plugin_rows()] == [False]


def test_broken_watts_wrong_class_and_none_installed(plug: Any, tmp_path: Path) -> None:
    device(plug, RIGHT.replace("100.0 +", "np.nan *"))
    chip = modelled_chip(tmp_path)
    assert "its watts are nan at 0.5 of the flop/s, 0.25 of the bytes/s, busy 1" in told(
        lambda: chip_watts(chip, 0.5, 0.25)
    )
    plug("odd-class", {"gigawatt.devices": {"other": "odd_class:MODEL"}}, {"odd_class.py": "MODEL = 3"})
    facts = overlay(tmp_path, "accelerator", "h100-other", "extends: h100-sxm\ndevice_model: other\n")
    catalog = Catalog.load([facts])
    assert "is a int, not a gigawatt.physics.chip.models.DeviceModel" in told(
        lambda: chip_from_record(catalog.get("accelerator", "h100-other"))
    )
    overlay(tmp_path, "accelerator", "h100-typo", "extends: h100-sxm\ndevice_model: simm\n")
    message = told(lambda: chip_from_record(Catalog.load([facts]).get("accelerator", "h100-typo")))
    assert "no installed package brings a device model 'simm'" in message and "did you mean 'sim'?" in message


def test_two_packages_of_one_name(plug: Any, tmp_path: Path) -> None:
    for name in ("first-sim", "second-sim"):
        plug(name, {"gigawatt.devices": {"sim": "odd_device:MODEL"}}, {"odd_device.py": DEVICE.format(body=RIGHT)})
    message = told(lambda: modelled_chip(tmp_path))
    assert "first-sim 1.2" in message and "second-sim 1.2" in message
    assert [row["ok"] for row in plugin_rows()] == [False, False]


# -- records


def records(plug: Any, files: dict[str, str]) -> None:
    made = {"odd_records/__init__.py": ""} | {f"odd_records/facts/{name}": text for name, text in files.items()}
    plug("odd-records", {"gigawatt.catalog": {"odd": "odd_records.facts"}}, made)


def test_records_lie_between_the_package_and_the_overlays(plug: Any, tmp_path: Path) -> None:
    records(plug, {"accelerator/h100-odd.yaml": "extends: h100-sxm\nkind: assumed\nsource: a test\ntdp: 650 W\n"})
    catalog = Catalog.load()
    assert catalog.get("accelerator", "h100-odd").tdp.value == 650.0
    assert catalog.where("accelerator/h100-odd.tdp").file.endswith("odd_records/facts/accelerator/h100-odd.yaml")
    facts = overlay(tmp_path, "accelerator", "h100-odd", "extends: h100-odd\nkind: assumed\nsource: me\ntdp: 600 W\n")
    with plugins.recording() as seen:
        assert Catalog.load([facts]).get("accelerator", "h100-odd").tdp.value == 600.0
    assert [one.distribution for one in seen] == ["odd-records"]
    with plugins.recording() as seen:
        catalog.get("accelerator", "h100-sxm")
        assert catalog.find_model("llama3-70b") is not None
    assert not seen
    assert "h100-odd" in catalog.ids("accelerator") and audit(catalog, package="odd-records").title.startswith(
        "1 records: 0 wrong"
    )


def test_an_id_that_is_there_already_names_both(plug: Any) -> None:
    records(
        plug, {"accelerator/h100-sxm.yaml": "extends: h200-sxm\n", "accelerator/h100-odd.yaml": "extends: h200-sxm\n"}
    )
    catalog = Catalog.load()
    message = told(lambda: catalog.get("accelerator", "h100-sxm"))
    assert "2 packages bring a accelerator 'h100-sxm'" in message
    assert "Gigawatt's own" in message and "plug-in odd-records 1.2" in message
    assert catalog.get("accelerator", "h200-sxm").id == "h200-sxm"
    listed = {one.id: one for one in catalog.all("accelerator")}
    assert listed["h100-sxm"].memory.value == 80e9 and "h100-odd" in listed
    wrong = [row for row in audit(catalog, package="odd-records").rows() if row["severity"] == "wrong"]
    assert [row["id"] for row in wrong] == ["h100-sxm"]
    assert [row["ok"] for row in plugin_rows()] == [False]


def test_malformed_records_and_folders(plug: Any) -> None:
    records(plug, {"accelerator/odd.yaml": "vendor: x\nmemory: 3 apples\n", "chips/one.yaml": "id: one\n"})
    catalog = Catalog.load()
    assert "odd.yaml:2" in told(lambda: catalog.get("accelerator", "odd"))
    assert "odd" not in {one.id for one in catalog.all("accelerator")} and catalog.find_model("llama3-70b") is not None
    findings = " ".join(
        row["finding"] for row in audit(catalog, package="odd-records").rows() if row["severity"] == "wrong"
    )
    assert "there is no kind of record 'chips'" in findings and "apples" in findings


def test_records_of_a_package_that_does_not_import(plug: Any) -> None:
    plug(
        "gone-records",
        {"gigawatt.catalog": {"gone": "gone_records.facts"}},
        {"gone_records/__init__.py": "import no_such_module"},
    )
    catalog = Catalog.load()
    assert catalog.get("accelerator", "h200-sxm").id == "h200-sxm"
    message = told(lambda: catalog.get("accelerator", "gone-chip"))
    assert "there is no accelerator 'gone-chip'" in message
    assert "records are missing" in message and "gone-records 1.2" in message and "no_such_module" in message


# -- fabrics

FABRIC = """
import numpy as np
from gigawatt.physics.fabric.models import FabricModel
def seconds(calls):
    {body}
MODEL = FabricModel(seconds, band=(0.5, 2.0), says="for a test")
"""


def modelled_fabric(plug: Any, tmp_path: Path, body: str) -> Any:
    plug("odd-net", {"gigawatt.fabrics": {"net": "odd_net:MODEL"}}, {"odd_net.py": FABRIC.format(body=body)})
    facts = overlay(tmp_path, "fabric", "odd-net", "extends: quantum2-ndr-2tier\ncollective_model: net\n")
    catalog = Catalog.load([facts])
    return fabric_from_record(
        catalog.get("fabric", "odd-net"), chip_from_record(catalog.get("accelerator", "h100-sxm"))
    )


def test_a_fabric_model_times_collectives_of_its_fabric_alone(plug: Any, tmp_path: Path) -> None:
    mine = modelled_fabric(plug, tmp_path, "return 1e-6 + calls.nbytes / 1e9 * calls.ranks / calls.per_domain")
    catalog = Catalog.load()
    other = fabric_from_record(
        catalog.get("fabric", "quantum2-ndr-2tier"), chip_from_record(catalog.get("accelerator", "h100-sxm"))
    )
    found = collective_seconds("all_reduce", [1e6, 1e6, 1e6], [16, 1, 16], [mine, mine, other])
    alone = collective_seconds("all_reduce", 1e6, 16, other)
    assert found.seconds.tolist() == pytest.approx([1e-6 + 2e-3, 0.0, float(alone.seconds[0])])
    assert found.bound.tolist()[0] == "fabric model net" and found.high[0] == pytest.approx(2 * found.seconds[0])
    assert found.bound[2] == alone.bound[0]
    assert collective_seconds("all_reduce", 1e6, 16, mine, algorithms=["ring"]).seconds == pytest.approx([1e-6 + 2e-3])
    assert moe_seconds(1e6, 16, mine, style="low_latency").seconds == pytest.approx([1e-6 + 2e-3])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return np.nan * calls.nbytes", "its seconds are nan for all_reduce of 1e+06 bytes among 16 ranks"),
        ("return 0.0 * calls.nbytes", "its seconds are 0 for"),
        ("return 1e-6", "have the shape (), and (1,) was asked for"),
        ("return calls.bytes", "AttributeError"),
    ],
)
def test_a_broken_fabric_model_is_told_by_name(plug: Any, tmp_path: Path, body: str, said: str) -> None:
    fabric = modelled_fabric(plug, tmp_path, body)
    message = told(lambda: collective_seconds("all_reduce", 1e6, 16, fabric))
    assert "fabric model 'net' of plug-in odd-net 1.2" in message and said in message


# -- costs

COST = """
from dataclasses import dataclass
from gigawatt.core.terms import Term
from gigawatt.economics.cost import CostModel, Rates
@dataclass(frozen=True)
class Fee:
    usd: float
def rates(terms, seen):
    {body}
MODEL = CostModel(Fee, {{"fee": Term("usd", "money")}}, rates, payee="state", says="for a test")
"""


def scenario(**charge: Any) -> Any:
    from gigawatt.core import document
    from gigawatt.study.templates import resources

    text = (resources.files("gigawatt") / "examples" / "one-rack.yaml").read_text(encoding="utf-8")
    data = document.parse(text, "one-rack.yaml").data
    return from_data(data | {"charges": [{"id": "fee", "model": "fee", **charge}]}, "here.yaml")


def test_charges_are_read_with_every_problem(plug: Any) -> None:
    plug("odd-fee", {"gigawatt.costs": {"fee": "odd_fee:MODEL"}}, {"odd_fee.py": COST.format(body="return Rates()")})
    assert resolve(scenario(terms={"fee": "3 USD"})).levies[0].terms.usd == 3.0
    message = told(lambda: resolve(scenario(terms={"fe": "3 USD"}, payee="operator")))
    assert "a fee has no 'fe'" in message and "did you mean 'fee'?" in message and "needs 'fee'" in message
    assert "pays 'operator', a company of this scenario" in message
    message = told(lambda: resolve(scenario(model="feee", terms={"fee": "3 USD"})))
    assert "no installed package brings a cost model 'feee'" in message and "did you mean 'fee'?" in message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 3.0", "a float, not gigawatt.economics.cost.Rates"),
        ("return Rates(usd_per_mwh=float('nan'))", "usd_per_mwh is no finite number"),
        ("return Rates(rack_usd=[1.0, 2.0, 3.0])", "rack_usd of shape (3,) for 1 platforms"),
        ("return Rates(rack_usd=-1.0)", "not below 0"),
        ("return Rates(per_mwh=1.0)", "TypeError"),
        ("return Rates(usd_per_mwh='much')", "ValueError"),
    ],
)
def test_broken_rates_are_told_by_name(plug: Any, body: str, said: str) -> None:
    from gigawatt.study.charges import levied_on
    from gigawatt.study.site.plant import plant_of

    plug("odd-fee", {"gigawatt.costs": {"fee": "odd_fee:MODEL"}}, {"odd_fee.py": COST.format(body=body)})
    resolved = resolve(scenario(terms={"fee": "3 USD"}))
    message = told(lambda: levied_on(resolved, plant_of(resolved)))
    assert "cost model 'fee' of plug-in odd-fee 1.2" in message and said in message


# -- executors

EXECUTOR = """
from gigawatt.study.executors import Done, Serial
class Odd(Serial):
    def __init__(self, workers=None, address=None): {made}
    def run(self, make, chunks):
        for done in super().run(make, chunks): {each}
"""


def executor(plug: Any, each: str, made: str = "pass") -> Any:
    text = EXECUTOR.format(each=each, made=made)
    plug("odd-engine", {"gigawatt.executors": {"odd": "odd_engine:Odd"}}, {"odd_engine.py": text})
    return plugged("odd", 2)


def test_an_executor_of_a_plug_in(plug: Any) -> None:
    found = list(executor(plug, "yield done").run(digests, (0, 1, 2)))
    assert [(one.chunk, one.part) for one in found] == [
        (one.chunk, one.part) for one in Serial().run(digests, (0, 1, 2))
    ]
    assert all(isinstance(one, Done) for one in found)


@pytest.mark.parametrize(
    ("each", "made", "said"),
    [
        ("yield done; yield done", "pass", "it gave chunk 0 twice"),
        ("yield done.part", "pass", "it yields bytes, not Done"),
        ("yield from (done,) if done.chunk else ()", "pass", "it ended without 1 of 3 chunks, the first 0"),
        ("yield done", "raise OSError('no room')", "workers=2, address=None failed: OSError: no room"),
    ],
)
def test_a_broken_executor_is_told_by_name(plug: Any, each: str, made: str, said: str) -> None:
    message = told(lambda: list(executor(plug, each, made).run(digests, (0, 1, 2))))
    assert "executor 'odd' of plug-in odd-engine 1.2" in message and said in message


def test_audit_of_a_package_that_is_not_there(plug: Any, command: Any) -> None:
    records(plug, {"accelerator/h100-odd.yaml": "extends: h100-sxm\nkind: assumed\nsource: a test\n"})
    code, _, err = command("catalog", "audit", "--plugin", "odd-recrds")
    assert code == 2 and "did you mean 'odd-records'?" in err
    code, out, _ = command("doctor", "--json")
    assert code == 0 and "odd-records 1.2: 1 records" in out


def test_an_error_of_a_plug_in_crosses_processes(plug: Any) -> None:
    import pickle

    plug("odd-class", {"gigawatt.devices": {"other": "odd_class:MODEL"}}, {"odd_class.py": "MODEL = 3"})
    found = plugins.find(plugins.DEVICES, "other")
    assert found is not None
    error = plugins.PluginError(found, "it is odd")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, InputError) and again.problems == error.problems
