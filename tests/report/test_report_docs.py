"""The documentation is true: its navigation leads somewhere, its code runs, its verbs exist, it names every room."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from gigawatt.cli.main import app

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
    rooms |= {"factory", "finance", "study", "validation"}
    assert {page.stem for page in (DOCS / "model").glob("*.md")} == rooms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http") and Path(target).name not in GENERATED:
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda page: page.stem)
def test_python_blocks_run(page):
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), {"__name__": "docs"})  # our own pages


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
