"""Answers remembered by content: equal questions are answered once, and nobody can change what another gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.remembered import content, remembered

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Point:
    x: float
    column: Any


def counted(size: int = 4) -> tuple[Any, list[Any]]:
    calls: list[Any] = []

    @remembered(size)
    def asked(a: Any, *, b: float = 2.0, **more: Any) -> Point:
        calls.append(a)
        return Point(b, np.arange(3.0))

    return asked, calls


@given(plain, plain)
def test_content_is_equal_exactly_where_values_and_their_types_are(a: Any, b: Any) -> None:
    def typed(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(sorted(f"{k!r}:{typed(v)}" for k, v in value.items())) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(typed, value)) + "]"
        return repr(0.0) if isinstance(value, float) and value == 0 else repr(value)

    assert (content(a) == content(b)) == (typed(a) == typed(b))
    hash(content(a))


def test_equal_arguments_are_answered_once_however_they_are_given() -> None:
    asked, calls = counted()
    first = asked(Point(1.0, np.array([1.0, 2.0])), b=2.0)
    assert asked(a=Point(1.0, np.array([1.0, 2.0]))) is first
    assert len(calls) == 1


@pytest.mark.parametrize(
    "other",
    [Point(1.0, np.array([1.0, 3.0])), Point(1.0, np.array([1, 2])), Point(1.0, [1.0, 2.0]), Point(2.0, np.array([1.0, 2.0]))],
)  # fmt: skip
def test_another_value_or_type_is_another_question(other: Point) -> None:
    asked, calls = counted()
    asked(Point(1.0, np.array([1.0, 2.0])))
    asked(other)
    assert len(calls) == 2


def test_further_names_count_and_the_oldest_answer_goes_first() -> None:
    asked, calls = counted(2)
    asked(1, c=1)
    asked(1, c=2)
    asked(1, c=1)
    asked(1, c=3)  # one too many: that of c=2 was asked for least lately
    asked(1, c=1)
    assert len(calls) == 3
    asked(1, c=2)
    assert len(calls) == 4


def test_arrays_of_an_answer_can_not_be_written_to() -> None:
    asked, _ = counted()
    with pytest.raises(ValueError, match="read-only"):
        asked(1).column[0] = 5.0


def test_what_has_no_known_content_is_worked_out_anew() -> None:
    asked, calls = counted()
    asked(object)
    asked(object)
    assert len(calls) == 2
