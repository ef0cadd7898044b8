"""The paged cache of an instance: blocks taken and given back, hashed blocks of prompts kept for reuse.

A hashed block that nobody uses stays cached, as the newest of its instance's idle ones, until its place is needed: the
oldest idle block goes first. A request gives its blocks back last one first, so that of a prefix the end goes first.
"""

from __future__ import annotations

import math

from gigawatt.physics.serving.events.rows import CurveRow, InstanceRow, NodeRow, RequestRow, World

SPREAD = 7919  # a prime, so that the same block of neighbouring instances falls into other buckets


def find(w: World, i: int, block: int) -> int:
    """The cached block on instance `i`, -1 if it is not there."""
    s = w.state[0]
    at = w.ints[s.buckets + ((block + i * SPREAD) & s.bucket_mask)]
    while at >= 0:
        node = w.nodes[at]
        if node.block == block and node.owner == i:
            return at
        at = node.chain
    return -1


def insert(w: World, i: int, block: int) -> int:
    """Keep a block of instance `i` under its hash, used once."""
    s = w.state[0]
    at = s.free_node
    node = w.nodes[at]
    s.free_node = node.chain
    bucket = (block + i * SPREAD) & s.bucket_mask
    node.block, node.owner, node.refs = block, i, 1
    node.older, node.newer = -1, -1
    node.chain = w.ints[s.buckets + bucket]
    w.ints[s.buckets + bucket] = at
    return at


def forget(w: World, at: int) -> None:
    """Take a block out of the table of hashes."""
    s = w.state[0]
    node = w.nodes[at]
    bucket = (node.block + node.owner * SPREAD) & s.bucket_mask
    behind = w.ints[s.buckets + bucket]
    if behind == at:
        w.ints[s.buckets + bucket] = node.chain
    else:
        while w.nodes[behind].chain != at:
            behind = w.nodes[behind].chain
        w.nodes[behind].chain = node.chain
    node.chain = s.free_node
    s.free_node = at


def unlink(w: World, x: InstanceRow, node: NodeRow) -> None:
    """Take a block out of its instance's idle ones."""
    if node.older >= 0:
        w.nodes[node.older].newer = node.newer
    else:
        x.oldest = node.newer
    if node.newer >= 0:
        w.nodes[node.newer].older = node.older
    else:
        x.newest = node.older
    node.older, node.newer = -1, -1


def take(w: World, x: InstanceRow, blocks: int) -> None:
    """Take blocks for use; idle ones make way, the oldest first. The caller has made sure that there are enough."""
    while x.free < blocks:
        at = x.oldest
        unlink(w, x, w.nodes[at])
        forget(w, at)
        freed = w.curves[x.curve].node_blocks
        x.free += freed
        x.idle -= freed
    x.free -= blocks


def let_go(w: World, x: InstanceRow, q: RequestRow) -> None:
    """Give back all blocks of a request; hashed ones that nobody else uses become idle, the last one first."""
    s = w.state[0]
    x.free += q.units
    q.units = 0
    kept = w.curves[x.curve].node_blocks
    j = q.nodes - 1
    while j >= 0:
        at = w.ints[s.held + q.hash_from + j]
        node = w.nodes[at]
        node.refs -= 1
        if node.refs == 0:
            x.idle += kept
            node.older, node.newer = x.newest, -1
            if x.newest >= 0:
                w.nodes[x.newest].newer = at
            else:
                x.oldest = at
            x.newest = at
        j -= 1
    q.nodes = 0


def share(w: World, i: int, x: InstanceRow, q: RequestRow) -> None:
    """Put blocks of the prompt that are computed by now under their hashes; where another did so first, keep one's own."""
    s = w.state[0]
    kept = w.curves[x.curve].node_blocks
    while q.nodes < q.full and (q.nodes + 1) * s.block_tokens <= q.computed:
        block = w.ints[s.hashes + q.hash_from + q.nodes]
        if s.free_node < 0 or find(w, i, block) >= 0:
            q.full = q.nodes
        else:
            w.ints[s.held + q.hash_from + q.nodes] = insert(w, i, block)
            q.nodes += 1
            q.units -= kept


def most_blocks(w: World, c: CurveRow, q: RequestRow) -> int:
    """Blocks a request may come to need at its end. With speculation a block counts as full in whole steps: up to two more."""
    s = w.state[0]
    full = min(q.hashes, q.input // s.block_tokens) if c.node_blocks > 0 else 0
    own = (q.input - full * s.block_tokens + c.block - 1) // c.block
    grown = (max(q.output - 1 - (full * s.block_tokens + own * c.block - q.input), 0) + c.block - 1) // c.block
    if c.tokens_per_step > 1.0:
        steps = math.ceil((q.output - 1) / c.tokens_per_step)
        grown = (steps + c.growth_steps - 1) // c.growth_steps * c.growth_blocks + 2
    return full * c.node_blocks + own + grown


def claim(w: World, i: int, q: RequestRow, room: int, extra: int) -> int:
    """Take all blocks a request needs to be admitted, those found under its hashes among them.

    `room`: blocks it may make others leave or take free; `extra`: tokens beyond its goal for which it reserves.
    Returns the tokens found in the cache, or -1 where the blocks do not suffice (nothing is taken then).
    """
    s = w.state[0]
    x = w.insts[i]
    c = w.curves[x.curve]
    q.full = 0
    hits, waking = 0, 0
    if c.node_blocks > 0:
        q.full = min(q.hashes, q.input // s.block_tokens)
        while hits < q.full:
            at = find(w, i, w.ints[s.hashes + q.hash_from + hits])
            if at < 0:
                break
            if w.nodes[at].refs == 0:
                waking += c.node_blocks
            w.ints[s.held + q.hash_from + hits] = at
            hits += 1
    own = (q.goal - q.full * s.block_tokens + extra + c.block - 1) // c.block + (q.full - hits) * c.node_blocks
    if own > room - waking:
        return -1
    for j in range(hits):
        node = w.nodes[w.ints[s.held + q.hash_from + j]]
        if node.refs == 0:
            unlink(w, x, node)
            x.idle -= c.node_blocks
        node.refs += 1
    take(w, x, own)
    q.units = own
    q.nodes = hits
    return min(hits * s.block_tokens, q.goal - 1)
