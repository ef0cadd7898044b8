"""The market file: a claim and any of the market's sections. Unknown fields are refused; problems are told all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from gigawatt.core.errors import InputError, Problem, Problems, nearest
from gigawatt.study.claim import Claim
from gigawatt.study.door import Day, Strict
from gigawatt.study.load import Default, defaults_of
from gigawatt.study.market import allocate, contest, edge, loop, ramp, rents, series, supply, tokens
from gigawatt.study.market.section import Section
from gigawatt.study.source import Source, override, read, validated

# In the order in which they run: a section may read what those before it made.
SECTIONS: dict[str, Section] = {
    "series": series.SECTION,
    "supply": supply.SECTION,
    "rent": rents.SECTION,
    "tokens": tokens.SECTION,
    "ramp": ramp.SECTION,
    **loop.SECTIONS,
    **contest.SECTIONS,
    **allocate.SECTIONS,
    **edge.SECTIONS,
}
VERBS = {"deals": "deals", "market": "market", "run": "run"}


class Head(Strict):
    """What every market file has, beside its sections."""

    schema_: int = Field(1, alias="schema")
    question: Literal["market"] = "market"
    name: str = Field(min_length=1, max_length=80)
    title: str = ""
    description: str = ""
    claim: Claim | None = None
    as_of: Day | None = None
    seed: int = Field(20260101, ge=0)
    samples: int = Field(1000, ge=0, le=100_000)


@lru_cache(maxsize=1)
def market_model() -> type[Head]:
    """The whole file as a model: the head and one optional field a section."""
    fields: dict[str, Any] = {name: (one.model | None, None) for name, one in SECTIONS.items()}
    made: type[Head] = create_model("Market", __base__=Head, **fields)
    return made


@dataclass(frozen=True, slots=True)
class LoadedMarket:
    """A checked market file: the text it came from, what was assumed for it, and the day up to which things are known."""

    market: Head
    source: Source
    defaults: tuple[Default, ...]
    as_of: date | None

    def section(self, name: str) -> BaseModel | None:
        found: BaseModel | None = getattr(self.market, name)
        return found


def load_market(path: Path | str, overrides: Sequence[str] = (), as_of: date | None = None) -> LoadedMarket:
    """Read, merge, override and check a market file; `as_of` goes before the file's own.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check_market(read(Path(path)), overrides, as_of)


def check_market(source: Source, overrides: Sequence[str] = (), as_of: date | None = None) -> LoadedMarket:
    """Apply `path=value` overrides and validate; see `load_market`."""
    problems = Problems()
    merged = override(source, overrides, problems)
    asked = merged.data.get("question", "market")
    if asked != "market":
        near = nearest(str(asked), VERBS)
        hint = (
            f"this file asks for:  gigawatt {VERBS[near]} {source.file}"
            if near and near != "market"
            else "question: market"
        )
        raise InputError(
            Problem("wrong_question", f"'{source.file}' asks the question '{asked}', not 'market'",
                    merged.where(("question",)), (hint,))
        )  # fmt: skip
    market = validated(market_model(), merged, problems)
    if market is not None and not any(getattr(market, name) is not None for name in SECTIONS):
        problems.add(
            "no_section", "this market file asks nothing: it has no section", merged.where(()),
            "sections: " + ", ".join(SECTIONS),
        )  # fmt: skip
    problems.raise_if_any()
    assert market is not None
    return LoadedMarket(market, merged, defaults_of(market), as_of if as_of is not None else market.as_of)
