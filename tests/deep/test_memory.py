"""Memory of the training loop: kept while it runs, given back at its end."""

import platform
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from faircluster import DeepFairClustering
from faircluster.deep.memory import reused_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
# in a process of its own: what the heap of this one looks like depends on the tests before
SCRIPT = """
from pathlib import Path
import torch
from faircluster.deep.memory import reused_memory

def faults():
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[7])

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def take_and_free(times):
    before = faults()
    for _ in range(times):
        torch.empty(4, 8 << 20).fill_(1.0)  # 128 MB
    return faults() - before

torch.set_num_threads(1)
outside = take_and_free(10)
try:
    with reused_memory():
        inside, kept = take_and_free(10), resident()
        raise RuntimeError
except RuntimeError:
    print(outside, inside, kept, resident())
"""


def test_freed_blocks_are_taken_again_and_go_back_afterwards_even_after_an_error():
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    outside, inside, kept, left = map(int, told.stdout.split())
    assert (
        inside < outside / 2
    )  # pages that the system had to clear; each of the first blocks may be a new one
    assert left < kept - (64 << 20)


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no library should be opened"))
    with reused_memory():
        pass


def test_epochs_tell_processor_seconds():
    X = np.random.default_rng(0).random((40, 8, 8), dtype=np.float32)
    model = DeepFairClustering(2, n_init=1, epochs=1, fair_epochs=1, random_state=0)
    model.fit(X, sensitive_features=list("ab") * 20)
    assert all(row["cpu_seconds"] > 0 and row["seconds"] > 0 for row in model.history_)
