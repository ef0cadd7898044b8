"""Binary heaps in one shared table: rows `base .. base + size`, and where each item stands in its heap.

Least key first, of like keys the least item. `ints[where + item]` is the item's place, -1 outside, so that any item can
be moved or taken out.
"""

from __future__ import annotations

from gigawatt.physics.serving.events.rows import HeapRow


def sift_up(heap: list[HeapRow], ints: list[int], where: int, base: int, at: int) -> None:
    """Move the item at place `at` up until its parent is no greater."""
    key, item = heap[base + at].key, heap[base + at].item
    while at > 0:
        above = heap[base + ((at - 1) >> 1)]
        if above.key < key or (above.key == key and above.item < item):
            break
        row = heap[base + at]
        row.key, row.item = above.key, above.item
        ints[where + row.item] = at
        at = (at - 1) >> 1
    row = heap[base + at]
    row.key, row.item = key, item
    ints[where + item] = at


def sift_down(heap: list[HeapRow], ints: list[int], where: int, base: int, size: int, at: int) -> None:
    """Move the item at place `at` down until no child is less."""
    key, item = heap[base + at].key, heap[base + at].item
    child = 2 * at + 1
    while child < size:
        below = heap[base + child]
        if child + 1 < size:
            beside = heap[base + child + 1]
            if beside.key < below.key or (beside.key == below.key and beside.item < below.item):
                child += 1
                below = beside
        if below.key > key or (below.key == key and below.item > item):
            break
        row = heap[base + at]
        row.key, row.item = below.key, below.item
        ints[where + row.item] = at
        at = child
        child = 2 * at + 1
    row = heap[base + at]
    row.key, row.item = key, item
    ints[where + item] = at


def push(heap: list[HeapRow], ints: list[int], where: int, base: int, size: int, key: float, item: int) -> None:
    """Add an item to a heap of `size` items."""
    row = heap[base + size]
    row.key, row.item = key, item
    sift_up(heap, ints, where, base, size)


def remove(heap: list[HeapRow], ints: list[int], where: int, base: int, size: int, at: int) -> None:
    """Take the item at place `at` out of a heap of `size` items."""
    ints[where + heap[base + at].item] = -1
    last = size - 1
    if at != last:
        row, end = heap[base + at], heap[base + last]
        row.key, row.item = end.key, end.item
        moved = row.item
        sift_down(heap, ints, where, base, last, at)
        sift_up(heap, ints, where, base, ints[where + moved])


def change(heap: list[HeapRow], ints: list[int], where: int, base: int, size: int, at: int, key: float) -> None:
    """Give the item at place `at` another key."""
    row = heap[base + at]
    rises = key > row.key
    row.key = key
    if size == 1:
        return
    if rises:
        sift_down(heap, ints, where, base, size, at)
    else:
        sift_up(heap, ints, where, base, at)
