"""Answers of pure functions, remembered by the content of what was asked.

One question asks the same search again and again: at each price that a break-even is sought over, in each regime, on the same
chips in another role. Such a function is wrapped once; a second call with equal arguments (values and types, defaults filled
in) gives the first answer. Arrays in a remembered answer are read-only, so that no caller changes what another gets. What holds
anything but numbers, texts, arrays, mappings, sequences and data classes is worked out anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import signature
from types import NoneType
from typing import Any, ParamSpec, TypeVar

import numpy as np

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def remembered(size: int) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """A wrapper that keeps the last `size` different answers of a function.

    >>> calls = []
    >>> double = remembered(8)(lambda x, by=2: calls.append(x) or x * by)
    >>> double(3), double(x=3, by=2), double(3.0), len(calls)
    (6, 6, 6.0, 2)
    """

    def wrap(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        known: OrderedDict[Any, Answer] = OrderedDict()
        form = signature(function)

        @wraps(function)
        def asked(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            bound = form.bind(*args, **kwargs)
            bound.apply_defaults()
            try:
                key = content(bound.arguments)
            except TypeError:
                return function(*args, **kwargs)
            if key in known:
                known.move_to_end(key)
                return known[key]
            answer = function(*args, **kwargs)
            _seal(answer)
            known[key] = answer
            if len(known) > size:
                known.popitem(last=False)
            return answer

        return asked

    return wrap


def remembered_of_records(size: int) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """The same for functions of frozen records, which are told apart by which object they are: no content is read.

    A record that is asked about is kept alive with its answer, so that no other takes its place in memory.

    >>> calls = []
    >>> size_of = remembered_of_records(8)(lambda record, by=1: calls.append(record) or len(record) * by)
    >>> one = ("a", "b")
    >>> size_of(one), size_of(one), size_of(one, 3), len(calls)
    (2, 2, 6, 2)
    """

    def wrap(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        known: OrderedDict[Any, tuple[Any, Answer]] = OrderedDict()

        @wraps(function)
        def asked(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            given = (*args, *kwargs.values())
            key = (*kwargs, *(one if isinstance(one, (str, int, float, NoneType)) else id(one) for one in given))
            if key in known:
                known.move_to_end(key)
                return known[key][1]
            answer = function(*args, **kwargs)
            _seal(answer)
            known[key] = given, answer
            if len(known) > size:
                known.popitem(last=False)
            return answer

        return asked

    return wrap


def content(value: Any) -> Any:
    """What a value holds, as something hashable that is equal for equal content.

    >>> content({"b": [1, 2.0], "a": None}) == content({"a": None, "b": [1, 2.0]}), content(1) == content(1.0)
    (True, False)

    Raises:
        TypeError: it holds something whose content is not known.
    """
    if value is None or isinstance(value, (str, bytes, bool, int, float)):
        return type(value), value
    if isinstance(value, np.generic):
        return type(value), value.item()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return dict, tuple(sorted((name, content(part)) for name, part in value.items()))
    if isinstance(value, (list, tuple)):
        return type(value), *(content(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), *(content(getattr(value, part.name)) for part in fields(value))
    raise TypeError(type(value).__name__)


def _seal(value: Any) -> None:
    """No array in it can be written to any more."""
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, Mapping):
        for part in value.values():
            _seal(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _seal(part)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            _seal(getattr(value, field.name))
