"""The documentation is true: its navigation leads somewhere, its code runs, its verbs exist, it names every room."""

import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from gigawatt.cli.main import app, run
from gigawatt.finance.contracts import kinds
from gigawatt.report.contract_pages import AROUND, EXAMPLES, PLACE, contracts_page
from gigawatt.study.deals.load import load_deals
from gigawatt.study.deals.run import run_deals

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
GENERATED = {"accuracy.md", "claims.md"}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def entries(node):
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [leaf for child in children for leaf in entries(child)]


def test_the_navigation_leads_to_every_page_and_back():
    found = set(entries(YAML(typ="safe", pure=True).load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    have = {str(page.relative_to(DOCS)) for page in PAGES}
    assert found - GENERATED <= have
    assert have <= found


def test_every_room_has_its_page():
    rooms = {"core", "catalog", "workload", "chip", "fabric", "serving", "training", "site", "cost"}
    rooms |= {"factory", "buildout", "moats", "finance", "study", "validation"}
    rooms |= {"market", "ecosystem", "deals", "deals-data", "project", "network-parts", "scale-across"}
    rooms |= {"services", "serving-events", "training-memory", "training-recipes", "pipeline-schedules"}
    rooms |= {"reliability", "jobs", "provisioning", "energy", "operation", "sampling", "risk"}
    assert {page.stem for page in (DOCS / "model").glob("*.md")} == rooms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http") and Path(target).name not in GENERATED:
            assert (page.parent / target).is_file(), target


# A page with a console is followed from top to bottom: its blocks build on each other.
FOLLOWED = [page for page in PAGES if blocks(page, "console")]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python") and p not in FOLLOWED], ids=lambda p: p.stem)
def test_python_blocks_run(page):
    """From top to bottom, as one reads: a block knows the names of those above it."""
    names = {"__name__": "docs"}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), names)  # our own pages


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "sh")], ids=lambda page: page.stem)
def test_commands_exist_with_their_options(page):
    verbs = get_command(app).commands
    for line in "\n".join(blocks(page, "sh")).splitlines():
        words = line.split()
        if words[:1] == ["gigawatt"]:
            verb = verbs[words[1]]
            if hasattr(verb, "commands"):
                verb = verb.commands[words[2]]
            known = {option for parameter in verb.params for option in parameter.opts}
            assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, line


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page, tmp_path, monkeypatch, capsys):
    """Files are written, code runs, commands print what the page shows ('...' stands for lines left out)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    unused = set()
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        named = re.match(r"# ([\w.-]+)\n", text)
        if named and language in ("yaml", "python"):
            Path(named[1]).write_text(text, encoding="utf-8")
            unused.add(named[1])
        if language == "python":
            exec(compile(text, str(page), "exec"), {"__name__": "docs"})  # our own pages
            unused -= {f"{name}.py" for name in re.findall(r"^from (\w+) import", text, re.M)}
        if language == "console":
            for step in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command, _, shown = step.partition("\n")
                words = shlex.split(command)
                assert words[0] == "gigawatt"
                unused -= set(words)
                with pytest.raises(SystemExit) as done:
                    run(words[1:])
                printed = capsys.readouterr()
                assert done.value.code == (2 if shown.startswith("error:") else 0), (command, printed.err)
                if shown.strip():
                    follows(command, shown.rstrip().splitlines(), (printed.out + printed.err).rstrip().splitlines())
    assert not unused, "blocks that nothing on the page uses"


def follows(command, shown, printed):
    """Every shown line stands in what is printed, in that order and without gaps but for '...'."""
    printed = [line.rstrip() for line in printed]
    at, gap = 0, False
    for line in shown:
        if line == "...":
            gap = True
            continue
        found = printed.index(line, at) if gap and line in printed[at:] else at
        assert found < len(printed) and printed[found] == line, (command, line, printed[at : at + 3])
        at, gap = found + 1, False
    assert gap or at == len(printed), (command, printed[at:])


def test_the_reference_of_contracts_is_made_from_their_doors():
    """`python -m gigawatt.report.pages docs` would write what is committed; every term of every kind is on it."""
    page = (DOCS / PLACE).read_text(encoding="utf-8")
    assert page == contracts_page()
    for name, kind in kinds().items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert kind.meaning in section
        for term in kind.door:
            assert f"| `{term}` |" in section, (name, term)


def test_the_examples_of_the_reference_run(tmp_path):
    """All of them in one file, as they stand on the page."""
    shown = blocks(DOCS / PLACE, "yaml")
    assert [text.removeprefix("- ").rstrip() for text in shown] == list(EXAMPLES.values())
    path = tmp_path / "all.yaml"
    path.write_text(
        AROUND + "contracts:\n" + "".join(f"  {text.replace(chr(10), chr(10) + '  ').rstrip()}\n" for text in shown)
    )
    table = list(run_deals(load_deals(path)).tables["contracts"].rows())
    assert {row["kind"] for row in table} == set(EXAMPLES)
    # those that stand in for somebody, a letter and what moves no cash pay nothing here
    paid = {row["kind"] for row in table if row["cash_usd"] > 0}
    assert set(EXAMPLES) - paid == {"guarantee", "capacity_backstop", "milestone_tranche", "warrant"}


def test_the_blocks_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / "README.md", "python")
    assert found
    names = {"__name__": "readme"}
    for code in found:
        exec(compile(code, "README.md", "exec"), names)  # our own page
