"""The user's own records go with the work to machines that do not see the driver's disk."""

import pickle
import shutil

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.study.executors.carried import Carried

RECORD = 'extends: h100-sxm\nkind: measured\nsource: "our own meter"\ntdp: 612 W\n'


def overlay(folder):
    (folder / "accelerator").mkdir(parents=True)
    (folder / "accelerator" / "h100-lab.yaml").write_text(RECORD, encoding="utf-8")
    return folder


def test_folders_that_are_there_are_read_in_place(tmp_path):
    folder = overlay(tmp_path / "mine")
    assert Carried.of([str(folder)]).here() == (str(folder),)
    assert Carried().here() == ()


def test_folders_that_are_not_there_are_unpacked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GIGAWATT_CACHE", str(tmp_path / "cache"))
    folder = overlay(tmp_path / "mine")
    sent = pickle.dumps(Carried.of([str(folder)]))
    shutil.rmtree(folder)
    (place,) = pickle.loads(sent).here()
    assert place.startswith(str(tmp_path / "cache"))
    assert Catalog.load([place]).get("accelerator", "h100-lab").tdp.value == 612
    assert pickle.loads(sent).here() == (place,)
    assert len(list((tmp_path / "cache" / "overlays").iterdir())) == 1


def test_a_folder_that_has_changed_there_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("GIGAWATT_CACHE", str(tmp_path / "cache"))
    folder = overlay(tmp_path / "mine")
    carried = Carried.of([str(folder)])
    (folder / "accelerator" / "h100-lab.yaml").write_text(RECORD.replace("612", "700"), encoding="utf-8")
    (place,) = carried.here()
    assert Catalog.load([place]).get("accelerator", "h100-lab").tdp.value == 612


def test_a_folder_that_is_nowhere_is_told_as_ever(tmp_path):
    missing = tmp_path / "none"
    try:
        Catalog.load(Carried.of([str(missing)]).here())
    except InputError as error:
        assert "is no folder" in str(error)
    else:
        raise AssertionError
