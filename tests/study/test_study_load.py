"""The scenario door: every problem at once, each with its place and a way out; merging, overrides, defaults."""

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError, Problem
from gigawatt.study.load import load
from gigawatt.study.source import split_path

GOOD = """\
schema: 1
name: small
site: {grid_power: 10 MW}
capital: 400 million USD
fleet:
  - {id: a, platform: gb300-nvl72}
workloads:
  - id: chat
    kind: serving
    model: deepseek-v3
    input_tokens: 1000
    output_tokens: 500
    demand: {output: 1e6 tokens/s}
    price: {output: 1.20 USD/Mtok}
"""


def _write(folder: Path, text: str, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _problems(path: Path, *overrides: str) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load(path, overrides)
    return list(caught.value.problems)


def test_a_good_one_says_what_it_assumed(tmp_path: Path) -> None:
    loaded = load(_write(tmp_path, GOOD))
    assert loaded.scenario.site.grid_power == 1e7
    paths = {default.path for default in loaded.defaults}
    assert {"seed", "site.facility", "workloads.chat.slo", "workloads.chat.demand.peak_to_mean"} <= paths
    assert "capital" not in paths


def test_all_errors_at_once_with_places(tmp_path: Path) -> None:
    text = """\
schema: 1
name: bad
site: {grid_powr: 1 GW, grid_power: -5 MW, energy_price: 48 USD/MW}
capital: 43 billion EUR
fleet:
  - {id: a, platform: gb300-nvl72}
  - {id: a, platform: hgx-h200}
workloads:
  - {id: chat, kind: serving, model: deepseek-v3, input_tokens: 3000, output_tokens: 700, derate: 1.4}
  - {id: x, kind: servin}
  - {id: t, kind: training, model: llama3-405b, tokens: 15e12}
contracts:
  - {id: own, kind: take_or_pay, pays: lab, gets: lab, price: 13 million USD/MW/yr}
  - {id: loan, kind: term_loan, pays: lendr, gets: operator, share_of_capex: 0.5, rate: 9 %}
"""
    found = _problems(_write(tmp_path, text))
    words = "\n".join(str(problem) for problem in found)
    for expected in [
        "did you mean 'grid_power'?",
        "'-5 MW' is out of range",
        "48 USD/MWh",
        "43 billion EUR",
        "fleet has two 'a'",
        "1.4 is out of range",
        "needs 'demand'",
        "needs 'price'",
        "did you mean 'serving'?",
        "needs an 'obligation'",
        "pays itself",
        "did you mean 'lender'?",
    ]:
        assert expected in words
    for problem in found:
        assert problem.where is not None
        assert problem.where.line > 0, problem
    lines = {problem.where.line for problem in found if problem.where}
    assert {3, 4, 7, 9, 10, 11, 13, 14} <= lines


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("site.grid_powr=3 MW", "did you mean 'grid_power'?"),
        ("fleet.b.supply=4", "there is no 'b' in fleet"),
        ("site.grid_power", "is not 'path=value'"),
        ("site.grid_power=3", "no unit"),
        ("discount_rate=120 %", "out of range"),
        ("schema=9", "reads up to 1"),
        ("name=Not An Id", "is not an id"),
    ],
)
def test_overrides_are_checked_too(tmp_path: Path, override: str, says: str) -> None:
    found = _problems(_write(tmp_path, GOOD), override)
    assert says in "\n".join(str(problem) for problem in found)
    assert any(problem.where and problem.where.file.startswith("--set") for problem in found)


def test_overrides_reach_lists_by_id(tmp_path: Path) -> None:
    path = _write(tmp_path, GOOD)
    loaded = load(path, ["fleet.a.supply=7", "workloads.chat.price.output=2 USD/Mtok", "uncertainty.samples=64"])
    assert loaded.scenario.fleet[0].supply == 7
    assert loaded.scenario.workloads[0].price.output == pytest.approx(2e-6)  # type: ignore[union-attr]
    assert loaded.scenario.uncertainty.samples == 64


def test_extends_merges_by_id_and_keeps_places(tmp_path: Path) -> None:
    _write(tmp_path, GOOD, "base.yaml")
    child = _write(tmp_path, "extends: base.yaml\nname: child\nfleet:\n  - {id: a, supply: -1}\n", "child.yaml")
    found = _problems(child)
    assert len(found) == 1
    assert found[0].where is not None
    assert (Path(found[0].where.file).name, found[0].where.line) == ("child.yaml", 4)
    child.write_text("extends: base.yaml\nname: child\nfleet:\n  - {id: b, platform: hgx-h200}\n")
    assert [offer.id for offer in load(child).scenario.fleet] == ["a", "b"]


def test_circular_extends_names_the_circle(tmp_path: Path) -> None:
    a = _write(tmp_path, "extends: b.yaml\n", "a.yaml")
    _write(tmp_path, "extends: a.yaml\n", "b.yaml")
    assert "a.yaml -> b.yaml -> a.yaml" in str(_problems(a)[0])


def test_not_a_mapping_and_empty(tmp_path: Path) -> None:
    assert _problems(_write(tmp_path, "- 1\n- 2\n"))[0].code == "not_a_scenario"
    assert _problems(_write(tmp_path, ""))[0].code == "not_a_scenario"


def test_split_path() -> None:
    data = {"fleet": [{"id": "a", "supply": 1}]}
    assert split_path("fleet.a.supply", data) == ("fleet", 0, "supply")
    assert split_path("fleet.0.supply", data) == ("fleet", 0, "supply")
    assert split_path("fleet.z.supply", data) == ("fleet", "z", "supply")
