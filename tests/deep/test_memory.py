"""Memory of the training loop: kept while it runs, given back at its end."""

import platform
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from faircluster import DeepFairClustering
from faircluster.deep.memory import reused_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
BLOCK = 8 << 20  # values of 4 bytes: 32 MB


def _faults() -> int:
    """Pages this process was given since it began."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[7])


def _resident() -> int:
    """Bytes in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _take_and_free(times: int) -> int:
    before = _faults()
    for _ in range(times):
        torch.empty(4, BLOCK).fill_(1.0)
    return _faults() - before


def test_freed_blocks_are_taken_again_without_new_pages():
    outside = _take_and_free(5)
    with reused_memory():
        _take_and_free(1)
        inside = _take_and_free(5)
    assert inside < outside / 10


def test_memory_goes_back_afterwards_even_after_an_error():
    kept = []

    def interrupted() -> None:
        with reused_memory():
            _take_and_free(1)
            kept.append(_resident())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert _resident() < kept[0] - 2 * BLOCK * 4


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
