"""Models, chips and boxes that the tests of jobs share."""

from functools import lru_cache

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Box, Chip, box_from_record
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture


@lru_cache(maxsize=16)
def model(name: str) -> Architecture:
    record = Catalog.load().get("model", name)
    return from_config(record.id, record.config)


@lru_cache(maxsize=16)
def box(name: str = "hgx-h200") -> Box:
    platform = Catalog.load().get("platform", name)
    return box_from_record(platform, Catalog.load().get("accelerator", platform.accelerator))


def chip(name: str = "hgx-h200") -> Chip:
    return box(name).chip
