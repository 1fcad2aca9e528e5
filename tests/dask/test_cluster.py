"""Processes come and go: the same results on any number of workers, and when one is killed on the way."""

import contextlib
import os
import signal
import threading

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, futures_of, wait

from faircluster import FairKCenter, FairKMeans, SociallyFairKMeans
from faircluster.dask.inputs import Table
from faircluster.dask.partitions import PartitionedPoints
from tests.dask.cases import arrays, blobs

pytestmark = pytest.mark.filterwarnings("ignore")  # what distributed says about ports and lost workers
MODELS = {
    "k-means": lambda: FairKMeans(4, random_state=0, n_init=1, n_swaps=0),
    "k-center": lambda: FairKCenter(4, random_state=0, n_init=1, n_swaps=4),
    "social": lambda: SociallyFairKMeans(4, random_state=0, n_init=1),
}
PHASES = {
    "k-means": ["read", "summary", "prices", "means", "margins", "collect"],
    "k-center": ["sample", "far points", "distances", "classes", "radius"],
    "social": ["sweep"],
}


@contextlib.contextmanager
def workers(n):
    settings = {"distributed.scheduler.allowed-failures": 5, "distributed.comm.retry.count": 3}
    with (
        dask.config.set(scheduler=None, **settings),
        LocalCluster(n_workers=n, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def fitted(kind):
    X, groups = blobs(3_000, seed=5)
    dX, dg = arrays(X, groups, [500] * 6)
    model = MODELS[kind]().fit(dX, sensitive_features=dg)
    found = (
        model.group_costs_
        if kind == "social"
        else [model.inertia_ if kind == "k-means" else model.radius_, *model.quotas_.ravel()]
    )
    return np.asarray(found), np.asarray(model.labels_.compute())


@pytest.fixture(scope="module")
def alone():
    with dask.config.set(scheduler="synchronous"):
        return {kind: fitted(kind) for kind in MODELS}


def same(one, two):
    return all((a == b).all() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_same_on_any_number_of_workers(alone, n):
    with workers(n):
        assert all(same(alone[kind], fitted(kind)) for kind in MODELS)


def test_every_worker_keeps_as_many_rows():
    X, groups = blobs(3_000)
    sizes = [300, 300, 300, 1_500, 300, 300]
    with workers(2) as client:
        points = PartitionedPoints(Table(*arrays(X, groups, sizes)))
        held = [futures_of(part)[0] for part in points.parts]
        wait(held)
        where = client.who_has(held)
        rows = dict.fromkeys(client.nthreads(), 0)
        for future, size in zip(held, sizes, strict=True):
            rows[where[future.key][0]] += size
    assert list(rows.values()) == [1_500, 1_500]


def test_fewer_partitions_than_workers():
    X, groups = blobs(300)
    with workers(2):
        dX, dg = arrays(X, groups, [300])
        model = MODELS["k-means"]().fit(dX, sensitive_features=dg)
    assert model.violation_ == 0


@pytest.mark.parametrize(("kind", "phase"), [(kind, phase) for kind in PHASES for phase in PHASES[kind]])
def test_a_worker_killed_in_the_middle_of_a_phase(alone, kind, phase, monkeypatch):
    ordinary, killed = PartitionedPoints._compute, []

    def deadly(self, tasks, what):
        if what == phase and not killed:
            victim = next(iter(client.run(os.getpid).values()))
            killed.append(victim)
            timer = threading.Timer(0.02, os.kill, (victim, signal.SIGKILL))
            timer.start()
        return ordinary(self, tasks, what)

    monkeypatch.setattr(PartitionedPoints, "_compute", deadly)
    with workers(2) as client:
        found = fitted(kind)
    assert killed
    assert same(alone[kind], found)
