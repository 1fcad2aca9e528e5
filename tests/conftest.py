"""Fixtures shared by all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def find_benchmark_data() -> Path | None:
    """Return the benchmark data folder, or None where there is none."""
    named = os.environ.get("FAIRCLUSTER_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def benchmark_data() -> Iterator[Path]:
    """Point the loaders at the benchmark data folder for the rest of the session, or skip the test."""
    folder = find_benchmark_data()
    if folder is None:
        pytest.skip("benchmark data folder not found; set FAIRCLUSTER_DATA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRCLUSTER_DATA", str(folder))
        yield folder
