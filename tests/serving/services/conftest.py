"""Models and chips of the packaged catalog, as services take them."""

from __future__ import annotations

from functools import lru_cache

import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()


@lru_cache(maxsize=64)
def _chip(name):
    return chip_from_record(CATALOG.get("accelerator", name))


@lru_cache(maxsize=64)
def _model(name):
    record = CATALOG.get("model", name)
    return from_config(record.id, record.config)


@pytest.fixture(scope="session")
def chip():
    return _chip


@pytest.fixture(scope="session")
def model():
    return _model


@pytest.fixture(scope="session")
def config():
    return lambda name: CATALOG.get("model", name).config
