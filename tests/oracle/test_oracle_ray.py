"""Ray against the other engines: the same bytes, whoever is killed. Needs Ray, which `make oracle` installs; skipped elsewhere.

One cluster of two processors is started for all tests; drivers connect to it by its address.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

import faults  # noqa: E402
from faults import CHUNKS, Trial, content, gone, parts_in, until, work_into  # noqa: E402
from makers import Curious, Deadly, Hungry, Plain, Sleeper, Stillborn, Wrong, part_of  # noqa: E402

from gigawatt.core.errors import InputError  # noqa: E402
from gigawatt.study.executors import Pool, Ray, Serial, WorkerLost  # noqa: E402
from gigawatt.study.executors import ray as ray_engine  # noqa: E402

pytestmark = pytest.mark.oracle
RANGE = range(3, 30)
ALL = {chunk: part_of(chunk) for chunk in RANGE}
TIMES = 20


@pytest.fixture(scope="module")
def address():
    """Of a cluster whose workers find the tests' makers."""
    from ray.cluster_utils import Cluster

    here = os.pathsep.join([str(Path(faults.__file__).parent), os.environ.get("PYTHONPATH", "")])
    # sockets lie in the folder, and their paths may not be long
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="gw", ignore_cleanup_errors=True) as tmp,
    ):
        for name, value in (("PYTHONPATH", here), ("RAY_TMPDIR", tmp), ("RAY_USAGE_STATS_ENABLED", "0")):
            patch.setenv(name, value)
        (Path(tmp) / "ray").mkdir()
        node = {"num_cpus": 2, "object_store_memory": 100 * 2**20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        try:
            yield cluster.address
        finally:
            cluster.shutdown()


def parts(executor, make, chunks=RANGE):
    found = list(executor.run(make, chunks))
    assert len(found) == len(chunks), "every chunk once"
    return {done.chunk: done.part for done in found}


def test_the_same_parts_as_every_other_engine(address):
    ours = parts(Ray(2, address), Plain())
    assert ours == parts(Serial(), Plain()) == parts(Pool(2), Plain()) == ALL
    assert not ray.is_initialized(), "the connection was ours"


def test_lost_actors(address, tmp_path):
    """Replaced while one chunk takes fewer than three; what a worker raises is raised here."""
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        assert parts(Ray(2), Deadly(7, 2, str(tmp_path))) == ALL
        assert len(list(tmp_path.iterdir())) == 2
        assert parts(Ray(1), Hungry(str(tmp_path)), range(3)) == {chunk: part_of(chunk) for chunk in range(3)}
        with pytest.raises(WorkerLost, match="chunk 5 has lost three workers"):
            parts(Ray(2), Deadly(5, 99, str(tmp_path)))
        with pytest.raises(WorkerLost, match="died before they could begin"):
            parts(Ray(2), Stillborn())
        with pytest.raises(ZeroDivisionError, match="in chunk 11"):
            parts(Ray(2), Wrong(11))
        with pytest.raises(InputError, match="there is no site 'x'"):
            parts(Ray(2), Wrong())
        assert ray.is_initialized(), "a connection that was there stays"
    finally:
        ray.shutdown()


def test_closing_stops_actors_in_the_middle_of_their_work(address):
    with closing(Ray(2, address).run(Sleeper(), range(50))) as finished:
        pids = [int(next(finished).part) for _ in range(2)]
    assert until(lambda: all(gone(pid) for pid in pids))


def test_an_actor_has_one_thread(address):
    found = [eval(done.part) for done in Ray(1, address).run(Curious(), range(2))]
    assert {tuple(threads) for _, threads, _ in found} == {("1", "1", "1")}


def test_another_version_on_the_cluster_is_refused(address, monkeypatch):
    other = {**ray_engine.versions(), "numpy": "1.0"}
    monkeypatch.setattr(ray_engine, "versions", lambda: other)
    with pytest.raises(InputError, match=r"the Ray worker on \S+: numpy 1.0 here, \S+ there"):
        parts(Ray(1, address), Plain())


def test_no_cluster_is_said_at_once():
    with pytest.raises(InputError, match="no Ray cluster answers at"):
        parts(Ray(1, "127.0.0.1:1"), Plain())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "marks").mkdir()
    work_into(folder / "out", folder / "marks", "serial", 1)
    assert parts_in(folder / "out") == CHUNKS
    return content(folder / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_driver_and_worker_killed_at_random_moments(address, tmp_path, undisturbed, capfd):
    hit = 0
    for seed in range(2 * TIMES):  # a trial that was over before its kill counts for nothing
        trial = Trial(tmp_path / str(seed), "ray", 2, seed, address)
        assert trial.run() == undisturbed, trial
        hit += trial.hit
        if hit == TIMES:
            break
    assert hit == TIMES
    assert capfd.readouterr().out == "", "Ray tells of dead workers where results may be printed"
