"""A method that makes each node once, so that trees share it: a manifest keeps what is shared once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

Asked = ParamSpec("Asked")
Made = TypeVar("Made")


class Keeper:
    """What its methods marked `once` have made already."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], Any] = {}


K = TypeVar("K", bound=Keeper)


def once(method: Callable[Concatenate[K, Asked], Made]) -> Callable[Concatenate[K, Asked], Made]:
    """Keep the answer of a method by its arguments, which are plain."""

    @wraps(method)
    def asked(self: K, *args: Asked.args, **kwargs: Asked.kwargs) -> Made:
        key = (method.__qualname__, args, tuple(sorted(kwargs.items())))
        if key not in self.kept:
            self.kept[key] = method(self, *args, **kwargs)
        made: Made = self.kept[key]
        return made

    return cast(Callable[Concatenate[K, Asked], Made], asked)
