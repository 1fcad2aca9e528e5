"""Shortest augmenting paths in the graph of the clusters, in machine code.

Pairing heaps, one for every ordered pair of clusters, lie in one pool of nodes. A node is an offer
to move a piece (a point, or part of a weighted point); offers of pieces that have left the cluster
are dropped when they reach the top.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit

__all__ = ["augment", "augment_coupled", "label_margins"]


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
def _advance(sink, dist, potential, room):  # type: ignore[no-untyped-def]
    """Lower prices by the way to the sink, at most by ``room``; returns by how much, and if it is reached."""
    way = dist[sink] if sink >= 0 else np.inf
    step = min(way, room)
    if step < np.inf:
        for v in range(len(dist)):
            potential[v] += min(dist[v], step)
    return step, sink >= 0 and way <= step


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
        step, reached = _advance(sink, dist, potential, threshold - travelled)
        travelled += step
        if not reached:
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


@njit(nogil=True, cache=True)
def _coupled_path(edge, tie, low, high, flow, potential, excess, dist, hops, parent, done):  # type: ignore[no-untyped-def]
    """As :func:`_shortest_path` in the graph of :func:`augment_coupled`."""
    S, k = tie.shape
    heap = [(0.0, 0, 0)]  # the compiler takes the type of its items from this one
    heap.clear()
    for v in range(S * k + k):
        done[v] = False
        parent[v] = -1
        hops[v] = 0
        dist[v] = np.inf
        if excess[v] > 0:
            dist[v] = 0.0
            heapq.heappush(heap, (0.0, 0, v))
    while heap:
        _, _, v = heapq.heappop(heap)
        if done[v]:
            continue
        done[v] = True
        if excess[v] < 0:
            return v
        s, a = v // k, v % k
        for i in range(k if s < S else S):
            if s == S:  # back from the cluster to one of its signatures
                to = i * k + a
                length = -tie[i, a] if flow[i, a] > low[i, a] else np.inf
            elif i == a:  # to the cluster
                to = S * k + a
                length = tie[s, a] if flow[s, a] < high[s, a] else np.inf
            else:
                to = s * k + i
                length = edge[s, a, i]
            if done[to] or length == np.inf:
                continue
            through = dist[v] + max(length + potential[v] - potential[to], 0.0)
            if through < dist[to] or (through == dist[to] and hops[v] + 1 < hops[to]):
                dist[to] = through
                hops[to] = hops[v] + 1
                parent[to] = v
                heapq.heappush(heap, (through, hops[to], to))
    return -1


@njit(nogil=True, cache=True)
def augment_coupled(  # type: ignore[no-untyped-def]  # noqa: PLR0912
    value, signature, cluster, tie, low, high, flow, excess, potential, threshold, most
):
    """Augment by single points in the graph of all signatures and clusters, along paths within ``threshold``.

    Nodes are the signatures' clusters (s, j), as s k + j, then the clusters themselves, as S k + j. Within a
    signature a path moves points; between (s, j) and the cluster it changes the quota ``flow[s, j]`` between
    ``low`` and ``high``, at length ``tie[s, j]`` forth and the opposite back.

    ``cluster`` (of each row), ``flow``, ``excess`` and ``potential`` (of each node) are updated in place.
    Returns whether it ended after ``most`` paths, to be called again.
    """
    S, k = tie.shape
    n, nodes_of_graph = len(signature), S * k + k
    capacity = 1024
    for i in range(n):
        for b in range(k):
            if value[i, b] - value[i, cluster[i]] <= threshold:
                capacity += 1
    key = np.empty(capacity, dtype=np.float64)
    item = np.empty(capacity, dtype=np.int64)
    child = np.empty(capacity, dtype=np.int64)
    sibling = np.empty(capacity, dtype=np.int64)
    nodes = 0
    root = np.full((S, k, k), -1, dtype=np.int64)
    edge = np.full((S, k, k), np.inf)
    dist = np.empty(nodes_of_graph)
    hops = np.empty(nodes_of_graph, dtype=np.int64)
    parent = np.empty(nodes_of_graph, dtype=np.int64)
    done = np.empty(nodes_of_graph, dtype=np.bool_)
    one = np.ones(n)
    for i in range(n):
        s = signature[i]
        nodes = _offer(i, i, cluster[i], value, threshold, key, item, child, sibling, root[s], nodes)
    for s in range(S):
        for a in range(k):
            _refresh(a, cluster, one, key, item, child, sibling, root[s], edge[s])

    travelled = potential.max()
    for _ in range(most):
        sink = _coupled_path(edge, tie, low, high, flow, potential, excess, dist, hops, parent, done)
        step, reached = _advance(sink, dist, potential, threshold - travelled)
        travelled += step
        if not reached:
            return False
        excess[sink] += 1
        v = sink
        while parent[v] >= 0:  # from the sink backwards: see augment
            u = parent[v]
            if v >= S * k:
                flow[u // k, u % k] += 1
            elif u >= S * k:
                flow[v // k, v % k] -= 1
            else:
                s, a, b = u // k, u % k, v % k
                i = item[root[s, a, b]]
                cluster[i] = b
                if nodes + k > capacity:
                    capacity = 2 * capacity + k
                    key = _grown(key, capacity)
                    item = _grown(item, capacity)
                    child = _grown(child, capacity)
                    sibling = _grown(sibling, capacity)
                nodes = _offer(i, i, b, value, threshold, key, item, child, sibling, root[s], nodes)
                for c in (a, b):
                    _refresh(c, cluster, one, key, item, child, sibling, root[s], edge[s])
            v = u
        excess[v] -= 1
    return True
