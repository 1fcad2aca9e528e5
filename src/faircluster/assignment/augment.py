"""Shortest augmenting paths in the graph of the clusters, in machine code.

Pairing heaps, one for every ordered pair of clusters, lie in one pool of nodes. A node is an offer
to move a piece (a point, or part of a weighted point); offers of pieces that have left the cluster
are dropped when they reach the top.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["augment"]

@njit(nogil=True, cache=True)
def _meld(x, y, key, child, sibling):  # type: ignore[no-untyped-def]
    if x < 0:
        return y
    if y < 0:
        return x
    if key[y] < key[x]:
        x, y = y, x
    sibling[y] = child[x]
    child[x] = y
    return x


@njit(nogil=True, cache=True)
def _pop(root, key, child, sibling):  # type: ignore[no-untyped-def]
    """Heap without its top: pair the children from the left, then meld them from the right."""
    paired = -1
    node = child[root]
    while node >= 0:
        first = node
        second = sibling[first]
        if second < 0:
            sibling[first] = paired
            paired = first
            break
        node = sibling[second]
        sibling[first] = -1
        sibling[second] = -1
        both = _meld(first, second, key, child, sibling)
        sibling[both] = paired
        paired = both
    top = -1
    while paired >= 0:
        following = sibling[paired]
        sibling[paired] = -1
        top = _meld(top, paired, key, child, sibling)
        paired = following
    return top


@njit(nogil=True, cache=True)
def _grown(array, size):  # type: ignore[no-untyped-def]
    larger = np.empty(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@njit(nogil=True, cache=True)
def _shortest_path(edge, potential, excess, slack, dist, hops, parent, done):  # type: ignore[no-untyped-def]
    """Dijkstra on reduced edges from all overloaded clusters; returns the nearest underloaded one.

    Among paths of equal length the one with fewest edges: with tied costs this is what bounds the
    number of augmentations (Edmonds & Karp 1972).
    """
    k = len(excess)
    for v in range(k):
        done[v] = False
        parent[v] = -1
        hops[v] = 0
        dist[v] = 0.0 if excess[v] > slack else np.inf
    while True:
        a = -1
        for v in range(k):
            if not done[v] and dist[v] < np.inf:
                if a < 0 or dist[v] < dist[a] or (dist[v] == dist[a] and hops[v] < hops[a]):
                    a = v
        if a < 0:
            return -1
        done[a] = True
        if excess[a] < -slack:
            return a
        for b in range(k):
            if not done[b] and edge[a, b] < np.inf:
                length = edge[a, b] + potential[a] - potential[b]
                through = dist[a] + max(length, 0.0)
                if through < dist[b] or (through == dist[b] and hops[a] + 1 < hops[b]):
                    dist[b] = through
                    hops[b] = hops[a] + 1
                    parent[b] = a


@njit(nogil=True, cache=True)
def augment(value, piece_row, piece_cluster, piece_weight, excess, potential, threshold, slack):  # type: ignore[no-untyped-def]
    """Augment along shortest paths while they are no longer than ``threshold``.

    ``excess`` and ``potential`` (how far the price of each cluster has fallen) are updated in
    place. Returns the pieces (row, cluster, weight).
    """
    k = value.shape[1]
    pieces = len(piece_row)
    room = 2 * pieces + 64
    row = _grown(piece_row, room)
    cluster = _grown(piece_cluster, room)
    weight = _grown(piece_weight, room)
    # The piece of a row in a cluster, so that what arrives joins it: otherwise weights fall into
    # ever smaller pieces. Without weights (slack 0) a row is one piece and nothing ever joins.
    at = np.full((value.shape[0] if slack > 0.0 else 0, k), -1, dtype=np.int64)
    if slack > 0.0:
        for p in range(pieces):
            at[row[p], cluster[p]] = p

    capacity = 1024
    for p in range(pieces):
        for b in range(k):
            if weight[p] > 0.0 and value[row[p], b] - value[row[p], cluster[p]] <= threshold:
                capacity += 1
    key = np.empty(capacity, dtype=np.float64)
    item = np.empty(capacity, dtype=np.int64)
    child = np.empty(capacity, dtype=np.int64)
    sibling = np.empty(capacity, dtype=np.int64)
    nodes = 0
    root = np.full((k, k), -1, dtype=np.int64)
    edge = np.full((k, k), np.inf)
    dist = np.empty(k)
    hops = np.empty(k, dtype=np.int64)
    parent = np.empty(k, dtype=np.int64)
    done = np.empty(k, dtype=np.bool_)
    changed = np.zeros(k, dtype=np.bool_)

    for p in range(pieces):
        i = row[p]
        a = cluster[p]
        for b in range(k):
            if b != a and weight[p] > 0.0:
                offer = value[i, b] - value[i, a]
                if offer <= threshold:
                    key[nodes] = offer
                    item[nodes] = p
                    child[nodes] = -1
                    sibling[nodes] = -1
                    root[a, b] = _meld(root[a, b], nodes, key, child, sibling)
                    nodes += 1
    for a in range(k):
        for b in range(k):
            if root[a, b] >= 0:
                edge[a, b] = key[root[a, b]]

    travelled = potential.max()
    while True:
        sink = _shortest_path(edge, potential, excess, slack, dist, hops, parent, done)
        reached = dist[sink] if sink >= 0 else np.inf
        step = min(reached, threshold - travelled)
        if step < np.inf:
            for v in range(k):
                potential[v] += min(dist[v], step)
            travelled += step
        if sink < 0 or reached > step:
            break
        amount = -excess[sink]
        v = sink
        while parent[v] >= 0:
            amount = min(amount, weight[item[root[parent[v], v]]])
            v = parent[v]
        amount = min(amount, excess[v])
        excess[v] -= amount
        excess[sink] += amount
        changed[:] = False
        # Take the offers off the heaps first, then deliver: a delivered piece must not be moved on
        # along the same path.
        v = sink
        while parent[v] >= 0:
            a = parent[v]
            p = item[root[a, v]]
            changed[a] = True
            changed[v] = True
            whole = weight[p] <= amount + slack * 1e-3
            joined = at[row[p], v] if slack > 0.0 else -1
            if joined >= 0:
                weight[joined] += weight[p] if whole else amount
                weight[p] = 0.0 if whole else weight[p] - amount
                if whole:
                    at[row[p], a] = -1
                v = a
                continue
            if not whole:
                if pieces == len(row):
                    row = _grown(row, 2 * pieces)
                    cluster = _grown(cluster, 2 * pieces)
                    weight = _grown(weight, 2 * pieces)
                weight[p] -= amount
                row[pieces] = row[p]
                weight[pieces] = amount
                p = pieces
                pieces += 1
            elif slack > 0.0:
                at[row[p], a] = -1
            cluster[p] = v
            if slack > 0.0:
                at[row[p], v] = p
            if nodes + k > capacity:
                capacity = 2 * capacity + k
                key = _grown(key, capacity)
                item = _grown(item, capacity)
                child = _grown(child, capacity)
                sibling = _grown(sibling, capacity)
            i = row[p]
            for b in range(k):
                offer = value[i, b] - value[i, v]
                if b != v and offer <= threshold:
                    key[nodes] = offer
                    item[nodes] = p
                    child[nodes] = -1
                    sibling[nodes] = -1
                    parked = nodes
                    nodes += 1
                    # the path's own edge out of v is read by the next step of this loop only
                    # through root[parent, v], never root[v, b], so melding now is safe
                    root[v, b] = _meld(root[v, b], parked, key, child, sibling)
            v = a
        for a in range(k):
            if changed[a]:
                for b in range(k):
                    top = root[a, b]
                    while top >= 0 and (cluster[item[top]] != a or weight[item[top]] <= 0.0):
                        top = _pop(top, key, child, sibling)
                    root[a, b] = top
                    edge[a, b] = key[top] if top >= 0 else np.inf
    return row[:pieces], cluster[:pieces], weight[:pieces]
