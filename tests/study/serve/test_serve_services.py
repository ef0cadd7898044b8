"""What is served beside chat goes through the same door, with watts at the meter and the same keys."""

from functools import lru_cache

import pytest

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.serve import answer, read_question


@lru_cache(maxsize=32)
def asked(model, as_service="", options=(), **words):
    words = {"on": "hgx-h100"} | words
    given = tuple(words)
    return answer(read_question(model, **words), given=given, as_service=as_service, options=options)


@pytest.mark.parametrize(
    ("model", "service", "options", "words", "unit"),
    [
        ("flux-1-dev", "", ("steps=8,width=512,height=512",), {"slo": "latency=10 s"}, "image"),
        ("wan2.1-t2v-14b", "", (), {}, "video-second"),
        ("whisper-large-v3", "", (), {}, "audio-second"),
        ("bge-m3", "", (), {"isl": "128", "slo": "latency=200 ms"}, "embedding"),
        ("gpt-oss-20b", "agents", ("calls=5",), {}, "task"),
        ("llama3-8b", "batch", (), {"isl": "2000", "osl": "100"}, "request"),
    ],
)
def test_every_service_answers_with_the_same_keys(model, service, options, words, unit):
    made = asked(model, service, options, **words)
    row = made.manifest["best"]
    assert made.manifest["unit"] == unit
    assert {"best", "pareto", "rejected", "candidates", "search_s"} <= set(made.as_json())
    assert row["low"] < row["units_per_s_per_chip"] < row["high"]
    assert row["joules_per_unit"] == pytest.approx(row["meter_w_per_chip"] / row["units_per_s_per_chip"])
    assert row["meter_w_per_chip"] > row["it_w_per_chip"] > row["chip_w"]
    rows = list(made.tables["pareto"].rows())
    assert [r["latency_ms"] for r in rows] == sorted(r["latency_ms"] for r in rows)
    assert made.texts["answer"] and made.texts["notes"]


def test_a_limit_is_held_and_more_steps_are_slower():
    few, many = (asked("flux-1-dev", options=(f"steps={n}",), slo="latency=20 s") for n in (10, 30))
    assert few.manifest["best"]["latency_ms"] <= 20_000
    assert many.manifest["best"]["units_per_s_per_chip"] < few.manifest["best"]["units_per_s_per_chip"]


def test_nothing_meets_the_limit_says_the_floor():
    with pytest.raises(Infeasible) as caught:
        asked("flux-1-dev", slo="latency=1 ms")
    assert any("the lowest latency" in line for line in caught.value.conflict)


@pytest.mark.parametrize(
    ("model", "service", "options", "words", "said"),
    [
        ("llama3-8b", "imges", (), {}, "no service"),
        ("llama3-8b", "", ("steps=3",), {}, "does nothing for chat"),
        ("flux-vae", "", (), {}, "serves nothing"),
        ("flux-1-dev", "", ("stps=3",), {}, "stps"),
        ("flux-1-dev", "", ("steps=x",), {}, "steps=x"),
        ("flux-1-dev", "", ("steps",), {}, "name=value"),
        ("flux-1-dev", "", ("companions=nosuch",), {}, "nosuch"),
        ("flux-1-dev", "", (), {"slo": "tpot=9 ms"}, "tpot does not apply"),
        ("flux-1-dev", "", (), {"isl": "9"}, "--isl does not apply"),
        ("flux-1-dev", "", (), {"chips": "8"}, "--chips does not apply"),
    ],
)
def test_what_does_not_apply_is_told(model, service, options, words, said):
    with pytest.raises(InputError) as caught:
        asked(model, service, options, **words)
    assert said in str(caught.value)
