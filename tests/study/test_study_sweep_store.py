"""A sweep's folder: the same bytes whoever works, goes on after any stop, refuses what is not its own."""

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import polars as pl
import pytest
from study_sweep_sample import PLACE, PRICE, Quick, cases, grid, sweep_of

from gigawatt.core.errors import InputError
from gigawatt.study.executors import Done, Pool, Serial
from gigawatt.study.sweep import Stopped, answer_sweep, drive
from gigawatt.study.sweep import schema as schema_module
from gigawatt.study.sweep import store as store_module


class Shuffled:
    """Chunks in another order, and it may stop after some of them."""

    name = "shuffled"

    def __init__(self, seed, stop_after=None, how=KeyboardInterrupt):
        self.seed, self.stop_after, self.how = seed, stop_after, how

    def run(self, make, chunks):
        order = list(chunks)
        random.Random(self.seed).shuffle(order)
        worker = make()
        for count, chunk in enumerate(order):
            if self.stop_after is not None and count >= self.stop_after:
                raise self.how
            yield Done(chunk, worker(chunk), 0.0)


class Nobody:
    name = "nobody"

    def run(self, make, chunks):
        raise AssertionError(f"asked for {list(chunks)}")


def run(folder, executor=None, design=None, fresh=False, metrics=()):
    with drive(sweep_of(design or grid(), *metrics), folder, executor or Serial(), fresh=fresh) as swept:
        return swept, answer_sweep(swept)


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in sorted((folder / "parts").iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "quick"
    run(folder)
    return bytes_of(folder)


@pytest.mark.parametrize("executor", [Shuffled(1), Shuffled(2), Pool(2)], ids=["order", "other order", "pool"])
def test_the_same_bytes_whoever_works_and_in_whatever_order(tmp_path, whole, executor):
    run(tmp_path, executor)
    assert bytes_of(tmp_path) == whole


@pytest.mark.parametrize("seed", range(4))
def test_the_same_bytes_after_stops_and_torn_parts(tmp_path, whole, seed):
    made = random.Random(seed)
    for _ in range(2):
        with pytest.raises(Stopped, match="the same command goes on"):
            run(tmp_path, Shuffled(made.random(), made.randint(0, 2)))
    parts = sorted((tmp_path / "parts").iterdir())
    if parts:
        torn = made.choice(parts)
        torn.write_bytes(torn.read_bytes()[: made.randint(0, 2000)])
        (tmp_path / "parts" / ".part-000001.parquet.99.tmp").write_bytes(b"half")
    swept, _ = run(tmp_path)
    assert bytes_of(tmp_path) == whole
    assert swept.tally.done == swept.tally.total == 27


def test_what_is_whole_is_not_asked_again_and_the_answer_is_the_same(tmp_path):
    _, first = run(tmp_path)
    swept, again = run(tmp_path, Nobody())
    assert swept.tally.found == 27
    assert again.as_json() == first.as_json()


def test_every_part_has_the_same_columns_and_a_metric_of_some_is_kept(tmp_path):
    run(tmp_path)
    frames = [pl.read_parquet(file) for file in sorted((tmp_path / "parts").iterdir())]
    assert len({tuple(frame.schema.items()) for frame in frames}) == 1
    rows = pl.concat(frames)
    assert rows["index"].to_list() == list(range(27))
    assert rows[PRICE].to_list()[:2] == ["10 USD/MWh", "20 USD/MWh"]
    assert rows[f"{PRICE} [USD/MWh]"].to_list()[:2] == [10.0, 20.0]
    assert rows.filter(pl.col(PLACE) == "norway")["value"].to_list()[0] == 20.0


def test_a_metric_that_no_scenario_had_that_was_asked_first_is_kept_as_json(tmp_path, monkeypatch):
    run(tmp_path / "asked")
    assert "norway_only" in pl.read_parquet(tmp_path / "asked" / "parts").columns
    monkeypatch.setattr(schema_module, "PROBES", 0)
    run(tmp_path / "missed", design=grid(prices="20..50 USD/MWh/4"))
    rows = pl.read_parquet(tmp_path / "missed" / "parts").sort("index")
    assert "norway_only" not in rows.columns
    assert rows["other_metrics"].drop_nulls().to_list() == ['{"norway_only": 1.0}'] * 4
    assert rows.filter(pl.col("other_metrics").is_not_null())[PLACE].unique().to_list() == ["norway"]


def test_cases_are_named_and_leave_what_they_do_not_change(tmp_path):
    run(tmp_path, design=cases())
    rows = pl.read_parquet(tmp_path / "parts").sort("index")
    assert rows["case"].to_list() == ["as-is", "dear", "north"]
    assert rows[PRICE].to_list() == [None, "70 USD/MWh", "20 USD/MWh"]
    assert rows["value"].to_list() == [10 - 48, 10 - 70, 30 - 20]


def test_scenarios_that_can_not_be_are_rows_with_their_reason(tmp_path):
    design = grid("66..88 USD/MWh/2", "iowa, nowhere")
    swept, result = run(tmp_path, design=design)
    rows = pl.read_parquet(tmp_path / "parts").sort("index")
    assert rows["status"].to_list() == ["failed", "infeasible", "wrong", "wrong"]
    assert rows["message"].to_list()[1:3] == ["power is too dear", "there is no site 'nowhere'"]
    assert swept.tally.feasible == 0 and result.manifest["statuses"] == {
        "ok": 0,
        "infeasible": 1,
        "wrong": 2,
        "failed": 1,
    }
    assert "nothing fits" in result.headline


def refusal(folder, **kwargs):
    with pytest.raises(InputError) as told:
        run(folder, **kwargs)
    return told.value.problems[0]


def test_another_design_or_question_in_the_same_folder(tmp_path):
    run(tmp_path)
    problem = refusal(tmp_path, design=grid("10..90 USD/MWh/5"))
    assert problem.code == "other_sweep" and "27 scenarios, not 15" in problem.message
    assert any("--fresh" in hint for hint in problem.hints)
    assert "--chunk 4" in refusal(tmp_path, design=replace(grid(), chunk=9)).hints[0]
    other = replace(Quick().source, data={"name": "quick", "title": "Quick", "site": {"grid_power": "1 GW"}})
    with (
        pytest.raises(InputError, match="site was not there and is"),
        drive(replace(sweep_of(grid()), recipe=Quick(source=other)), tmp_path, Serial()),
    ):
        pass
    swept, _ = run(tmp_path, design=grid("10..90 USD/MWh/5"), fresh=True)
    assert swept.tally.found == 0 and swept.tally.done == 15
    assert pl.read_parquet(tmp_path / "parts").height == 15


def test_a_store_of_another_version(tmp_path):
    run(tmp_path)
    file = tmp_path / "sweep.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"digest": "x", "made_by": about["made_by"] | {"gigawatt": "0.0.9 (older)"}}))
    problem = refusal(tmp_path)
    assert problem.code == "other_version" and "0.0.9" in problem.message and any("--fresh" in h for h in problem.hints)
    file.write_text(json.dumps(about | {"format": "gigawatt-sweep/0", "digest": "x"}))
    assert refusal(tmp_path).code == "other_version"
    file.write_text("{")
    assert refusal(tmp_path).code == "broken_store"


def test_a_folder_with_other_things_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert refusal(tmp_path, fresh=True).code == "not_a_sweep_folder"
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert refusal(tmp_path / "thesis.txt").code == "not_a_sweep_folder"


HOLD = """
    import sys, time
    sys.path[:0] = {paths!r}
    from pathlib import Path
    from gigawatt.study.sweep.store import open_store
    store = open_store(Path({folder!r}))
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_sweeps_into_one_folder_and_the_lock_goes_with_its_process(tmp_path):
    code = textwrap.dedent(HOLD).format(paths=sys.path, folder=str(tmp_path))
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline().strip() == "held"
        problem = refusal(tmp_path)
        assert problem.code == "folder_in_use" and str(other.pid) in problem.message
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
        other.stdout.close()
    swept, _ = run(tmp_path)
    assert swept.tally.done == 27


def test_two_sweeps_of_one_process(tmp_path):
    with drive(sweep_of(grid()), tmp_path, Serial()):
        assert refusal(tmp_path).code == "folder_in_use"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_no_more_keeps_what_is_finished(tmp_path, monkeypatch, whole, code):
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 7:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(store_module.os, "fsync", full)
    problem = refusal(tmp_path)
    assert problem.code == ("not_writable" if code == errno.EROFS else "disk_full")
    kept = bytes_of(tmp_path)
    assert 0 < len(kept) < len(whole) and all(whole[name] == part for name, part in kept.items())
    assert not list((tmp_path / "parts").glob(".*"))
    monkeypatch.undo()
    swept, _ = run(tmp_path)
    assert bytes_of(tmp_path) == whole and swept.tally.found == 4 * len(kept)


def test_a_limit_on_the_size_of_files(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        problem = refusal(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert problem.code == "disk_full" and "go" in problem.hints[0]
    swept, _ = run(tmp_path)
    assert swept.tally.done == 27


def test_an_unknown_metric_is_told_with_the_nearest(tmp_path):
    problem = refusal(tmp_path, metrics=("vlaue",))
    assert problem.code == "unknown_metric" and "did you mean 'value'?" in problem.hints


def test_a_folder_whose_part_is_gone_has_no_manifest_while_it_is_made_again(tmp_path):
    run(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "parts" / "part-000003.parquet").unlink()
    with pytest.raises(Stopped):
        run(tmp_path, Shuffled(1, 0))
    assert not (tmp_path / "manifest.json").exists()
