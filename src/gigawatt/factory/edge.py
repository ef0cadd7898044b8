"""Machines beside the site: how many there are, what they bring a vendor, draw and answer, and what of it comes to the site.

    installed_y  = sum_(s <= y) sold_s  min( 1, max( 0, life - (y - s) ) )
    revenue_y    = sold_y x vendor's part x chips x price
    mean watts   = installed x chips x watts x busy share          all at once: without the busy share
    tokens       = installed x chips x bandwidth / bytes a token x busy share       one request at a time, an upper bound

What comes to the site, of which the machines' own watts are no part:

    passes       = installed x sent share x busy share x passes/s x seconds of a site's chip x its watts / batch
    bought       = revenue on board x (site's part / board's part of revenue) / USD per MW

and what software alone is worth a MW where no chip may be sold, with the part of the chips that would have to pay for it to
equal the gross profit of the hardware:

    software     = 1 / watts a chip x licence x paid share
    even         = (USD per MW x margin / life) / (1 / watts a chip x licence)

Draws along the first axis, then classes of machines, then years.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
MW = 1e6


@dataclass(frozen=True, slots=True)
class Machines:
    """Classes of machines over years.

    Attributes:
        names: classes, unique.
        years: ascending, one apart.
        sold: [draws, classes, years] machines with the vendor's chips in them.
        life_years: [draws, classes].
        usd: [draws, classes] what the vendor receives for a machine.
        watts: [draws, classes] of a machine's computer, busy.
        busy: [draws, classes] share of the year.
        tokens_per_s: [draws, classes] of a busy machine.
        up_bytes_per_day: [draws, classes] that a machine sends home.

    Raises:
        ValueError: columns do not fit each other, or one is negative.
    """

    names: tuple[str, ...]
    years: tuple[int, ...]
    sold: Array
    life_years: Array
    usd: Array
    watts: Array
    busy: Array
    tokens_per_s: Array
    up_bytes_per_day: Array

    def __post_init__(self) -> None:
        draws, classes = len(self.sold), len(self.names)
        if self.sold.shape != (draws, classes, len(self.years)):
            raise ValueError(f"sold is {self.sold.shape}, not [draws, {classes} classes, {len(self.years)} years]")
        if list(self.years) != list(range(self.years[0], self.years[0] + len(self.years))):
            raise ValueError("years must follow each other")
        for name in ("life_years", "usd", "watts", "busy", "tokens_per_s", "up_bytes_per_day"):
            column = getattr(self, name)
            if column.shape != (draws, classes):
                raise ValueError(f"{name} is {column.shape}, not [draws, {classes} classes]")
            if np.any(column < 0):
                raise ValueError(f"{name} must not be negative")
        if np.any(self.sold < 0) or np.any(self.busy > 1):
            raise ValueError("sales must not be negative, nor a machine busy for more than all of a year")

    @property
    def installed(self) -> Array:
        """[draws, classes, years] machines at work at the end of a year; the last year of a life counts in part."""
        year = np.array(self.years, dtype=np.float64)
        age = year[None, :] - year[:, None]  # [sold in, seen in]
        left = np.clip(self.life_years[..., None, None] - age, 0.0, 1.0) * (age >= 0)
        return np.asarray(np.einsum("dcs,dcsy->dcy", self.sold, left))

    @property
    def revenue_usd(self) -> Array:
        """[draws, classes, years] of the vendor."""
        return np.asarray(self.sold * self.usd[..., None])

    @property
    def mean_mw(self) -> Array:
        """[draws, classes, years] over the year, at the machines."""
        return np.asarray(self.installed * (self.watts * self.busy)[..., None] / MW)

    @property
    def peak_mw(self) -> Array:
        """[draws, classes, years] were all busy at once."""
        return np.asarray(self.installed * self.watts[..., None] / MW)

    @property
    def tokens(self) -> Array:
        """[draws, classes, years] tokens/s, mean over the year."""
        return np.asarray(self.installed * (self.tokens_per_s * self.busy)[..., None])

    @property
    def up_bytes_per_s(self) -> Array:
        """[draws, classes, years] sent home."""
        return np.asarray(self.installed * self.up_bytes_per_day[..., None] / 86400.0)


def beside(part: ArrayLike, rest: ArrayLike) -> Array:
    """Share of `part` in the two together; it grows with the part and stays below 1.

    >>> float(beside(1.0, 3.0))
    0.25
    """
    one, other = np.asarray(part, dtype=np.float64), np.asarray(rest, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(one + other > 0, one / (one + other), 0.0))


def site_mw_of_passes(
    machines: ArrayLike, sent_share: ArrayLike, busy: ArrayLike, passes_per_s: ArrayLike, chip_s: ArrayLike,
    chip_w: ArrayLike, batch: ArrayLike,
) -> Array:  # fmt: skip
    """MW at the site of policies that run there, with `batch` passes for what one takes the chip.

    >>> float(site_mw_of_passes(1e6, 1.0, 0.5, 10.0, 0.028, 1000.0, 4.0))
    35.0
    """
    count, sent, works, rate, seconds, watts, together = (
        np.asarray(x, dtype=np.float64) for x in (machines, sent_share, busy, passes_per_s, chip_s, chip_w, batch)
    )
    return np.asarray(count * sent * works * rate * seconds * watts / together / MW)


def site_mw_bought(board_usd: ArrayLike, site_usd_per_board_usd: ArrayLike, usd_per_mw: ArrayLike) -> Array:
    """MW of site a year that are bought to train and simulate what runs on board."""
    return np.asarray(
        np.asarray(board_usd, dtype=np.float64) * np.asarray(site_usd_per_board_usd) / np.asarray(usd_per_mw)
    )


def software_usd_per_mw_yr(chip_w: ArrayLike, licence_usd_per_yr: ArrayLike, paid_share: ArrayLike) -> Array:
    """USD/MW/yr of licences on another maker's chips, `chip_w` all-in at the meter.

    >>> float(software_usd_per_mw_yr(1000.0, 4500.0, 0.1))
    450000.0
    """
    return np.asarray(MW / np.asarray(chip_w, dtype=np.float64) * np.asarray(licence_usd_per_yr) * paid_share)


def even_paid_share(
    chip_w: ArrayLike, licence_usd_per_yr: ArrayLike, usd_per_mw: ArrayLike, margin: ArrayLike, life_years: ArrayLike
) -> Array:
    """Share of the chips whose licences would equal the gross profit of selling the hardware; above 1: never.

    >>> round(float(even_paid_share(1000.0, 4500.0, 30e6, 0.75, 5.0)), 6)
    1.0
    """
    hardware = np.asarray(usd_per_mw, dtype=np.float64) * np.asarray(margin) / np.asarray(life_years)
    return np.asarray(hardware / software_usd_per_mw_yr(chip_w, licence_usd_per_yr, 1.0))
