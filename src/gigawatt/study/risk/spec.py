"""What a file says of its uncertainty: laws of inputs, correlations, calibrations, catalog ranges, covenants.

uncertainty:
  samples: 1024
  vary:
    site.energy_price: {dist: lognormal, gsd: 1.2}                      # bare numbers are factors on the value
    discount_rate: {dist: triangular, low: 8 %, mode: 10 %, high: 14 %}  # with a unit they are values
  correlated: [{between: [site.energy_price, workloads.chat.price], is: 0.3}]
  covenants: [{metric: dscr_min, at_least: 1.2}]
  catalog: on              # prices and shares that the catalog gives with a range
  calibration: on
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from gigawatt.core import units
from gigawatt.study.door import Strict

if TYPE_CHECKING:
    from gigawatt.study.sampling import Law

Number = float | str
# Of these a bare number is a number, whatever the law is of.
_BARE = ("gsd", "a", "b", "weight", "weights", "levels")
_NUMBERS = ("gsd", "median", "mean", "sd", "low", "high", "mode", "value", "a", "b", "weight")
_LISTS = ("values", "weights", "levels")
Dist = Literal[
    "lognormal", "normal", "uniform", "loguniform", "triangular", "pert", "beta", "choice", "empirical", "range"
]


class Distribution(Strict):
    """How an input varies: a law of factors on its value where the numbers are bare, of the value itself where they have units.

    `as: value` says so for numbers without a unit.
    """

    dist: Dist
    gsd: float | None = None
    median: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    low: Number | None = None
    high: Number | None = None
    mode: Number | None = None
    value: Number | None = None
    a: float | None = None
    b: float | None = None
    weight: float | None = None
    values: list[Number] | None = None
    weights: list[float] | None = None
    levels: list[float] | None = None
    as_: Literal["factor", "value"] | None = Field(None, alias="as")

    @property
    def _scaled(self) -> dict[str, Any]:
        """What is given in the unit of the input, or as a factor on it."""
        names = [name for name in (*_NUMBERS, *_LISTS) if name not in _BARE]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def absolute(self) -> bool:
        """Of the value itself."""
        return self.as_ == "value" or any(isinstance(one, str) for one in _flat(self._scaled.values()))

    @model_validator(mode="after")
    def _whole(self) -> Distribution:
        written = _flat(self._scaled.values())
        texts = [one for one in written if isinstance(one, str)]
        if texts and self.as_ == "factor":
            raise ValueError(f"a factor has no unit, and '{texts[0]}' has one: leave 'as: factor' out, or the units")
        if texts and len(texts) < len(written) and self.as_ is None:
            bare = next(one for one in written if not isinstance(one, str))
            raise ValueError(
                f"'{texts[0]}' is a value with its unit and {bare:g} a factor: give all of them with units, or none"
            )
        if self.absolute and self.dist == "lognormal" and self.median is None:
            raise ValueError(
                "a lognormal of values needs 'median' beside 'gsd'; without it the law is of factors: leave 'as' out"
            )
        if not texts:
            self.law(middle=None if self.absolute else 1.0)
        return self

    def law(self, dimension: str = "share", middle: float | None = None) -> Law:
        """The law, in the unit inside of `dimension` where the numbers have units.

        Args:
            dimension: of the input, a key of `units.DIMENSIONS`.
            middle: where a mode or a value is not given: 1 for factors, the input's own value else.

        Raises:
            ValueError: numbers that do not fit, or a wrong unit.
        """
        given = {name: getattr(self, name) for name in (*_NUMBERS, *_LISTS)}
        read = {name: _inside(value, dimension) for name, value in given.items() if value is not None}
        from gigawatt.study.sampling import law_of  # SciPy, which a file that is only read need not wait for

        return law_of(self.dist, read, middle)


def _flat(values: Any) -> list[Any]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _inside(value: Any, dimension: str) -> Any:
    if isinstance(value, list):
        return [_inside(one, dimension) for one in value]
    if not isinstance(value, str):
        return value
    if dimension == "years":
        return units.parse(value, "time") / (8760 * 3600)
    return units.parse(value, dimension)


class Correlated(Strict):
    """Inputs that move together: the rank correlation (Spearman) of every two of them."""

    between: Annotated[list[str], Field(min_length=2)]
    is_: Annotated[float, Field(ge=-1, le=1, alias="is")]

    def pairs(self) -> list[tuple[str, str, float]]:
        return [(a, b, self.is_) for i, a in enumerate(self.between) for b in self.between[i + 1 :]]


class Covenant(Strict):
    """A promise about a metric; how often it is broken is an answer."""

    metric: str
    at_least: Number | None = None
    at_most: Number | None = None
    id: str = ""

    @model_validator(mode="after")
    def _one(self) -> Covenant:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"a covenant on '{self.metric}' needs one of 'at_least' and 'at_most'")
        return self


class Uncertainty(Strict):
    """What is drawn for the bands; the fleet is held unless `reoptimise`.

    `catalog`: prices, shares and load that the catalog gives with a range, where the file does not vary them itself.
    `calibration`: one latent error for each group of a calibration.
    """

    samples: Annotated[int, Field(ge=16, le=1_000_000)] = 1024
    vary: dict[str, Distribution] = {}
    correlated: list[Correlated] = []
    covenants: list[Covenant] = []
    calibration: bool = True
    catalog: bool = True
    reoptimise: bool = False


class LoanCovenant(Strict):
    """What a term loan promises: least cover of debt service; how often it is broken is an answer of `risk`."""

    dscr: Annotated[float, Field(gt=0, le=20)]


def pairs_of(correlated: Sequence[Correlated]) -> list[tuple[str, str, float]]:
    """Every pair, in the order of the file."""
    return [pair for one in correlated for pair in one.pairs()]
