"""What differs between two files of one question, and files that lie between them.

A file is read as a tree in which the items of a list go by their ids, so that two lists are compared offer by offer and not
line by line. A difference is one path with what either side says there; a file between A and B says B's words at some of the
paths and A's at all others. What two files mean alike (`10 %` and `0.1`, a default written out) is no difference: the
question's model says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

# Words that name a file and change no number in its answer.
LABELS = ("schema", "question", "name", "title", "description", "claim")
# Lists of which an item may be its id alone.
SHORT = (("companies",),)

Keys = tuple[str, ...]


class _Absent:
    """Stands where a side says nothing; itself in every process."""

    def __repr__(self) -> str:
        return "absent"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


class Listed(dict[str, Any]):
    """The items of a list by their ids, in the list's order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One path at which two files say something else.

    Attributes:
        path: keys from the top; a list's item by its id.
        a, b: what the sides say (plain data), `ABSENT` where one says nothing.
        order: the sides list the same items in another order.
        listed: the file's field that it stands in is a list of items with ids.
    """

    path: Keys
    a: Any
    b: Any
    order: bool = False
    listed: bool = False

    @property
    def dotted(self) -> str:
        return ".".join(self.path) + (" (order)" if self.order else "")


def tree_of(data: Any, path: Keys = ()) -> Any:
    """Plain data with lists of things that have ids as `Listed`.

    >>> tree_of({"fleet": [{"id": "a", "supply": 1}]})
    {'fleet': {'a': {'id': 'a', 'supply': 1}}}
    """
    if isinstance(data, Mapping):
        return {str(key): tree_of(value, (*path, str(key))) for key, value in data.items()}
    if isinstance(data, list):
        ids = [item.get("id") if isinstance(item, Mapping) else item if path in SHORT else None for item in data]
        if data and all(isinstance(name, str) for name in ids) and len(set(ids)) == len(ids):
            return Listed((str(name), tree_of(item, (*path, str(name)))) for name, item in zip(ids, data, strict=True))
        return [tree_of(item, path) for item in data]
    return data


def plain_of(tree: Any) -> Any:
    """The tree as plain data again."""
    if isinstance(tree, Listed):
        return [plain_of(item) for item in tree.values()]
    if isinstance(tree, dict):
        return {key: plain_of(value) for key, value in tree.items()}
    return [plain_of(item) for item in tree] if isinstance(tree, list) else tree


def meaning_of(model: type[BaseModel], data: Mapping[str, Any]) -> Any:
    """A file as its model reads it, defaults filled in, as a tree; `ABSENT` where the model refuses it."""
    try:
        return tree_of(model.model_validate(data).model_dump(mode="json", by_alias=True))
    except ValidationError:
        return ABSENT


def differences(
    a: Any, b: Any, meant_a: Any = ABSENT, meant_b: Any = ABSENT, path: Keys = (), listed: bool = False
) -> list[Difference]:
    """Every path at which two trees say, and mean, something else; in the order of A, then what only B has.

    >>> [one.dotted for one in differences({"x": 1, "y": {"z": 2}}, {"x": 1, "y": {"z": 3, "w": 4}})]
    ['y.z', 'y.w']
    """
    if a is not ABSENT and b is not ABSENT and _same(a, b):
        return []
    if meant_a is not ABSENT and meant_b is not ABSENT and _same(meant_a, meant_b):
        return []
    a, b = _opened(a, b, meant_a), _opened(b, a, meant_b)
    if not (isinstance(a, dict) and isinstance(b, dict) and type(a) is type(b)):
        return [Difference(path, plain_of(a), plain_of(b), listed=listed)]
    if len(path) == 1:
        listed = isinstance(a, Listed)
    found: list[Difference] = []
    for key in _sequence(list(a), list(b)):
        if not path and key in LABELS:
            continue
        below = (_under(meant_a, key), _under(meant_b, key))
        found += differences(a.get(key, ABSENT), b.get(key, ABSENT), *below, (*path, key), listed)
    if isinstance(a, Listed) and [key for key in _sequence(list(a), list(b)) if key in b] != list(b):
        found.append(Difference(path, list(a), list(b), order=True, listed=listed))
    return found


def _same(one: Any, other: Any) -> bool:
    """Equal, the order of a list's items included (that of a mapping's keys says nothing)."""
    if isinstance(one, Listed) and isinstance(other, Listed) and list(one) != list(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _opened(mine: Any, other: Any, meant: Any) -> Any:
    """What says nothing, as an empty group or list where its meaning is one: then its parts are compared, not the whole."""
    empty = mine is ABSENT or (isinstance(mine, list) and not mine)
    if not empty:
        return mine
    if isinstance(other, Listed) and (mine is not ABSENT or isinstance(meant, list)):
        return Listed()
    if isinstance(other, dict) and not isinstance(other, Listed) and mine is ABSENT and isinstance(meant, dict):
        return {}
    return mine


def _under(tree: Any, key: str) -> Any:
    return tree.get(key, ABSENT) if isinstance(tree, dict) else ABSENT


def _sequence(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """A's keys in their order, each of B's own after the one that it follows in B."""
    out = list(a)
    for at, key in enumerate(b):
        if key not in out:
            out.insert(out.index(b[at - 1]) + 1 if at else 0, key)
    return out


def between(a: Any, b: Any, moved: Collection[Difference]) -> dict[str, Any]:
    """Plain data of the file that says B's words at the paths of `moved` and A's elsewhere.

    >>> a, b = {"x": 1, "y": 2}, {"x": 5, "z": 6}
    >>> between(a, b, [Difference(("x",), 1, 5), Difference(("z",), ABSENT, 6)])
    {'x': 5, 'y': 2, 'z': 6}
    """
    tree = _copied(a)
    for one in moved:
        if not one.order:
            _put(tree, b, one.path, one.b)
    orders = {one.path for one in moved if one.order}
    made: dict[str, Any] = plain_of(_ordered(tree, a, b, orders, ()))
    return made


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return type(tree)((key, _copied(value)) for key, value in tree.items())
    return [_copied(item) for item in tree] if isinstance(tree, list) else tree


def _put(tree: Any, b: Any, path: Keys, value: Any) -> None:
    """Set or take away what stands at a path; groups on the way are made as B has them."""
    node, beside = tree, b
    for key in path[:-1]:
        beside = _under(beside, key)
        held = node.get(key)
        if not isinstance(held, dict):  # nothing, or an empty list
            if value is ABSENT:
                return
            held = node[key] = type(beside)() if isinstance(beside, dict) else {}
        node = held
    if value is ABSENT:
        node.pop(path[-1], None)
    else:
        node[path[-1]] = tree_of(value, path)


def _ordered(tree: Any, a: Any, b: Any, orders: Collection[Keys], path: Keys) -> Any:
    """Lists in A's order with B's own items in their places; in B's order where that was moved."""
    if not isinstance(tree, dict):
        return tree
    keys = list(tree)
    if isinstance(tree, Listed):
        own = list(a) if isinstance(a, dict) else []
        other = list(b) if isinstance(b, dict) else []
        wanted = _sequence(other, own) if path in orders else _sequence(own, other)
        keys = [key for key in wanted if key in tree]
    return type(tree)((k, _ordered(tree[k], _under(a, k), _under(b, k), orders, (*path, k))) for k in keys)


def raw_path(data: Any, path: Keys) -> tuple[str | int, ...]:
    """A path by ids as one by numbers, as far as it leads."""
    out: list[str | int] = []
    for key in path:
        if isinstance(data, list):
            named = (
                n for n, item in enumerate(data) if item == key or (isinstance(item, dict) and item.get("id") == key)
            )
            at = next(named, None)
            if at is None:
                break
            out.append(at)
            data = data[at]
        elif isinstance(data, dict) and key in data:
            out.append(key)
            data = data[key]
        else:
            break
    return tuple(out)
