"""Shortest augmenting paths in the graph of the clusters, in machine code.

Pairing heaps, one for every ordered pair of clusters, lie in one pool of nodes. A node is an offer
to move a piece (a point, or part of a weighted point); offers of pieces that have left the cluster
are dropped when they reach the top.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["augment", "label_margins"]


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
            if done[v] or dist[v] == np.inf:
                continue
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
def _offer(p, i, a, value, threshold, key, item, child, sibling, root, nodes):  # type: ignore[no-untyped-def]
    """Offer piece ``p`` of row ``i`` in cluster ``a`` to all other clusters; returns the number of nodes."""
    for b in range(value.shape[1]):
        offer = value[i, b] - value[i, a]
        if b != a and offer <= threshold:
            key[nodes] = offer
            item[nodes] = p
            child[nodes] = -1
            sibling[nodes] = -1
            root[a, b] = _meld(root[a, b], nodes, key, child, sibling)
            nodes += 1
    return nodes


@njit(nogil=True, cache=True)
def _refresh(a, cluster, weight, key, item, child, sibling, root, edge):  # type: ignore[no-untyped-def]
    """Drop offers of pieces that have left cluster ``a``; its edges are the offers on top."""
    for b in range(len(edge)):
        top = root[a, b]
        while top >= 0 and (cluster[item[top]] != a or weight[item[top]] <= 0.0):
            top = _pop(top, key, child, sibling)
        root[a, b] = top
        edge[a, b] = key[top] if top >= 0 else np.inf


@njit(nogil=True, cache=True)
def _deliver(p, v, amount, slack, row, cluster, weight, at, pieces):  # type: ignore[no-untyped-def]
    """Move an amount of piece ``p`` to cluster ``v``; returns the piece to offer there, or -1, and the count.

    What arrives joins the piece that the row has in the cluster already: otherwise weights would
    fall into ever smaller pieces. Without weights (slack 0) a row is one piece and nothing joins.
    """
    weighted = slack > 0.0
    whole = weight[p] <= amount + slack * 1e-3
    joined = at[row[p], v] if weighted else -1
    if whole and weighted:
        at[row[p], cluster[p]] = -1
    if joined >= 0:
        weight[joined] += weight[p] if whole else amount
        weight[p] = 0.0 if whole else weight[p] - amount
        return -1, pieces
    if not whole:
        weight[p] -= amount
        row[pieces] = row[p]
        weight[pieces] = amount
        p = pieces
        pieces += 1
    cluster[p] = v
    if weighted:
        at[row[p], v] = p
    return p, pieces


@njit(nogil=True, cache=True)
def augment(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 (calls would copy what grows)
    value, piece_row, piece_cluster, piece_weight, excess, potential, threshold, slack
):
    """Augment along shortest paths while they are no longer than ``threshold``.

    ``excess`` and ``potential`` (how far the price of each cluster has fallen) are updated in
    place. Returns the pieces (row, cluster, weight); those of weight 0 are spent.
    """
    k = value.shape[1]
    pieces = len(piece_row)
    room = 2 * pieces + 64
    row = _grown(piece_row, room)
    cluster = _grown(piece_cluster, room)
    weight = _grown(piece_weight, room)
    at = np.full((value.shape[0] if slack > 0.0 else 0, k), -1, dtype=np.int64)
    capacity = 1024
    for p in range(pieces):
        if slack > 0.0:
            at[row[p], cluster[p]] = p
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
    changed = np.ones(k, dtype=np.bool_)
    for p in range(pieces):
        if weight[p] > 0.0:
            nodes = _offer(p, row[p], cluster[p], value, threshold, key, item, child, sibling, root, nodes)

    travelled = potential.max()
    while True:
        for a in range(k):
            if changed[a]:
                _refresh(a, cluster, weight, key, item, child, sibling, root, edge)
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
        if pieces + k > len(row):
            row = _grown(row, 2 * len(row))
            cluster = _grown(cluster, len(row))
            weight = _grown(weight, len(row))
        if nodes + k * k > capacity:
            capacity = 2 * capacity + k * k
            key = _grown(key, capacity)
            item = _grown(item, capacity)
            child = _grown(child, capacity)
            sibling = _grown(sibling, capacity)
        changed[:] = False
        # From the sink backwards: the next edge of the path ends in the cluster this one starts
        # from, so its offer is still on top.
        v = sink
        changed[v] = True
        while parent[v] >= 0:
            a = parent[v]
            changed[a] = True
            p, pieces = _deliver(item[root[a, v]], v, amount, slack, row, cluster, weight, at, pieces)
            if p >= 0:
                nodes = _offer(p, row[p], v, value, threshold, key, item, child, sibling, root, nodes)
            v = a
    return row[:pieces], cluster[:pieces], weight[:pieces]


@njit(nogil=True, cache=True)
def label_margins(cost, labels, prices, margin):  # type: ignore[no-untyped-def]
    """Difference between the cheapest other cluster and the label, prices included."""
    for i in range(cost.shape[0]):
        own = labels[i]
        least = np.inf
        for j in range(cost.shape[1]):
            value = np.float64(cost[i, j]) + prices[j]
            least = value if value < least and j != own else least
        margin[i] = least - (np.float64(cost[i, own]) + prices[own])
