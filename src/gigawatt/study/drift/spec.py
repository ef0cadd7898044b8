"""What a scenario says of architectures to come: which may, how likely each is, what each platform keeps of its throughput."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Share as SourcedShare
from gigawatt.catalog.software import Family
from gigawatt.study.door import Id, Share, Strict


class Change(Strict):
    """An architecture that may come.

    `share` of it among the changes (relative). `family`: what the catalog knows of the software for it says what a platform
    keeps; `keep` states it by offer, and goes before. `workloads` are those that it changes (none named: all).
    """

    id: Id
    share: Annotated[float, Field(gt=0)] = 1.0
    family: Family | None = None
    keep: dict[Id, SourcedShare] = {}
    workloads: list[Id] = []


class Drift(Strict):
    """`focal`: the offers whose being on the menu is priced (auto: all of the maker of the first). `chance` is the one that
    is reported first; the curve runs from never to certainly."""

    changes: Annotated[list[Change], Field(min_length=1, max_length=12)]
    focal: list[Id] = []
    chance: Share = 0.3
    steps: Annotated[int, Field(ge=2, le=100)] = 20
    samples: Annotated[int, Field(ge=0, le=2_000)] = 48

    @model_validator(mode="after")
    def _once(self) -> Drift:
        names = [change.id for change in self.changes]
        if len(set(names)) < len(names):
            raise ValueError(f"two changes have one id: {', '.join(names)}")
        return self
