"""The page's section on where each number comes from: a tree a metric behind a click, shared branches drawn once.

Facts are named by their path in the catalog; `gigawatt explain` adds the line, which would have every file read again here.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from gigawatt.report.explain_terminal import shown, signs_of
from gigawatt.report.numbers import span
from gigawatt.study.explained.kept import PART, packed
from gigawatt.study.result import RunResult

TITLE = "Where each number comes from"
ANCHOR = "explained"
NOTE = (
    "Signs say how operands join: + a sum, x a product, / a ratio, - a difference, < the least, > the most; ~ is what a value "
    "rests on. A branch that several numbers share is drawn once and linked from then on."
)


def explained_section(result: RunResult) -> str:
    """The section, or '' where a result keeps no trees."""
    if not result.manifest.get("explain"):
        return ""
    manifest = packed(result.manifest)
    page = _Page(manifest.get("explain_parts", {}))
    trees = "".join(page.metric(name, tree) for name, tree in manifest["explain"].items())
    told = f"{NOTE} The line of every fact: gigawatt explain NAME."
    return f'<section id="{ANCHOR}" class="explained"><h2>{TITLE}</h2><p class="explains">{escape(told)}</p>{trees}</section>'


class _Page:
    """Draws parts once."""

    def __init__(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        self.parts = parts
        self.drawn: set[str] = set()

    def metric(self, name: str, tree: Mapping[str, Any]) -> str:
        one = self.parts[tree[PART]] if PART in tree else tree
        head = f"<b>{escape(name)}</b> <span class='value'>{escape(shown(one))}</span>"
        return f"<details><summary>{head}</summary>{self.branch(tree, '')}</details>"

    def branch(self, tree: Mapping[str, Any], sign: str) -> str:
        key = tree.get(PART)
        one = self.parts[key] if key is not None else tree
        mark = f"<i>{escape(sign)}</i> " if sign.strip() else ""
        value = f" <span class='value'>{escape(shown(one))}</span>"
        if key is not None and key in self.drawn:
            link = (
                f"<a href='#part-{key}'>{escape(str(one['name']))}</a>" if one["children"] else escape(str(one["name"]))
            )
            return f"<div>{mark}{link}{value}</div>"
        anchor = ""
        if key is not None:
            self.drawn.add(key)
            anchor = f" id='part-{key}'"
        head = f"{mark}{escape(str(one['name']))}{value}{_told(one)}"
        if not one["children"]:
            return f"<div{anchor}>{head}</div>"
        count = one.get("operands", len(one["children"])) if one.get("operation") else 0
        signs = signs_of({**one, "children": list(one["children"])}) if count else ["~"] * len(one["children"])
        below = "".join(self.branch(child, by) for child, by in zip(one["children"], signs, strict=True))
        return f"<details{anchor}><summary>{head}</summary>{below}</details>"


def _told(one: Mapping[str, Any]) -> str:
    """Place, source, range of a node, small and dim."""
    place = one.get("where") or one.get("path") or ""
    known = " ".join(str(one[key]) for key in ("known", "as_of") if one.get(key))
    low, high = one.get("low"), one.get("high")
    ranged = span(low, high, str(one["unit"])) if isinstance(low, (int, float)) and low != high else ""
    fit = f"fitted to {one['fitted_to']}" if one.get("fitted_to") else ""
    words = "; ".join(str(text) for text in (place, known, ranged, fit, one.get("source", "")) if text)
    return f" <small>{escape(words)}</small>" if words else ""
