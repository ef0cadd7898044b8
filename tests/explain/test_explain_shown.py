"""How trees look: signs that join operands, folded depths, a list in groups, the page's section."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from explain_sample import answer
from rich.console import Console

from gigawatt.cli.main import run as command
from gigawatt.report.explain_page import explained_section
from gigawatt.report.explain_terminal import MOST_LINES, WIDTH, lines_of, render, render_list, signs_of
from gigawatt.report.files import write_run
from gigawatt.study.explain import node, worked
from gigawatt.study.explained.asked import explained, group_of, listed


def printed(tree: dict, depth: int | None = None) -> list[str]:  # type: ignore[type-arg]
    out = io.StringIO()
    render(tree, Console(file=out, width=WIDTH, highlight=False), depth)
    return out.getvalue().splitlines()


def leaf(name: str, value: float = 1.0) -> dict:  # type: ignore[type-arg]
    return node("datum", name, value, "USD", "a paper", where="a.yaml:3:1")


def test_signs_say_how_operands_join() -> None:
    two, why = [leaf("a"), leaf("b", 2.0)], [leaf("c")]
    expected = {
        "sum": "++~",
        "product": "xx~",
        "ratio": " /~",
        "difference": " -~",
        "min": "<<~",
        "max": ">>~",
        "zero": "++~",
    }
    for operation, signs in expected.items():
        made = worked(operation, "whole", "USD", two, 1.0, rests_on=why)  # type: ignore[arg-type]
        assert "".join(signs_of(made)) == signs
    assert signs_of(node("formula", "searched", 1.0, children=two)) == ["~", "~"]


def test_a_tree_keeps_to_its_lines_and_to_the_width() -> None:
    tree = explained(answer("run-gigawatt").manifest, "system_npv")
    short = printed(tree)
    assert len(short) <= MOST_LINES
    assert any("more below" in line for line in short)
    whole = printed(tree, 0)
    assert len(whole) > 3 * len(short)
    assert not any("more below" in line for line in whole)
    assert max(map(len, [*short, *whole])) <= WIDTH
    assert all(line.isascii() for line in whole)
    assert any(re.search(r"catalog/data/platform/[\w-]+\.yaml:\d+:\d+", line) for line in whole)


def test_depth_folds_what_lies_below_and_counts_it() -> None:
    low = worked("sum", "low", "USD", [leaf("a"), leaf("b")])
    tree = worked("product", "top", "USD", [low, leaf("c", 2.0)])
    assert [line.text.strip() for line in lines_of(tree, 1)] == [
        "top", "x low", "... 2 more below: 2 data", "x c", "a.yaml:3:1", "from: a paper",
    ]  # fmt: skip
    again = worked("sum", "top", "USD", [low, low])
    assert [line.text.strip() for line in lines_of(again, 0)][-1] == "+ low  (as above)"


def test_the_list_is_in_groups_and_names_all() -> None:
    heads = listed(answer("run").manifest)["children"]
    out = io.StringIO()
    render_list(heads, Console(file=out, width=WIDTH, highlight=False))
    text = out.getvalue()
    assert all(head["metric"] in text for head in heads)
    assert text.splitlines()[0] == "money"
    groups = {"USD/MW/yr": "money", "token/s": "tokens and work", "MW": "power, energy, water, carbon", "s": "time",
              "share": "shares, ratios, counts", "x list": "shares, ratios, counts"}  # fmt: skip
    for unit, group in groups.items():
        assert group_of(unit) == group


def test_the_page_holds_every_tree_and_draws_shared_branches_once() -> None:
    result = answer("run")
    text = explained_section(result)
    for row in result.metrics.rows():
        assert f"<b>{row['name']}</b>" in text
    anchors = re.findall(r"id='part-(\w+)'", text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"href='#part-(\w+)'", text)) <= set(anchors)
    assert text.count("<details") == text.count("</details>")


@pytest.mark.parametrize("case", ["run", "deals", "net"])
def test_the_verb_reads_a_run_folder(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = answer(case)
    folder = write_run(result, tmp_path / "run")
    name = next(iter(result.manifest["explain"]))
    for words in (
        ["explain", name],
        ["explain", name, "--depth", "1"],
        ["explain", "list"],
        ["explain", name, "--json"],
    ):
        with pytest.raises(SystemExit) as ended:
            command([*words, "--run", str(folder)])
        assert ended.value.code == 0
        assert name in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        command(["explain", "nothing_like_it", "--run", str(folder)])
    assert ended.value.code == 2
