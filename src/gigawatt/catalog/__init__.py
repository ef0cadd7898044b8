"""What exists, as typed records with a source for every value: chips, platforms, models, sites, prices, fits."""

from gigawatt.catalog.face import find, get, ids, kinds, show
from gigawatt.catalog.records import KINDS, Record
from gigawatt.catalog.store import Catalog

__all__ = ["KINDS", "Catalog", "Record", "find", "get", "ids", "kinds", "show"]
