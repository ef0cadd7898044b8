"""A sweep whose workers and driver are killed at random moments ends with the undisturbed run's bytes."""

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

from faults import CHUNKS, Trial, content, parts_in, work_into


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "marks").mkdir()
    work_into(folder / "out", folder / "marks", "serial", 1)
    assert parts_in(folder / "out") == CHUNKS
    return content(folder / "out")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, undisturbed, workers):
    (tmp_path / "marks").mkdir()
    work_into(tmp_path / "out", tmp_path / "marks", "pool", workers)
    assert content(tmp_path / "out") == undisturbed


def test_killed_workers_and_drivers_lose_nothing(tmp_path, undisturbed):
    trials = [Trial(tmp_path / str(seed), "pool", 2, seed) for seed in range(4)]
    for trial in trials:
        assert trial.run() == undisturbed, trial
    assert sum(trial.hit for trial in trials) >= 2, "killed before all was done"
