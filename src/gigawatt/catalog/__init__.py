"""What exists, as typed records with a source for every value: accelerators, platforms, models, sites, prices, calibrations."""

from gigawatt.catalog.records import KINDS, Record
from gigawatt.catalog.store import Catalog

__all__ = ["KINDS", "Catalog", "Record"]
