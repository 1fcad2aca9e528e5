"""Large tables on disk, and the command that reads them."""

import errno
import os

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from faircluster.cli import main
from faircluster.dask import files
from faircluster.metrics import additive_violation
from faircluster.persistence import load_model
from tests.dask.cases import blobs

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask about pandas, and of distributed about ports


@pytest.fixture
def folder(tmp_path):
    X, groups = blobs(3_000)
    table = pd.DataFrame(X, columns=list("wxyz"))
    table["sex"] = groups
    place = tmp_path / "people"
    place.mkdir()
    for i in range(4):
        table[i * 750 : (i + 1) * 750].to_parquet(place / f"{i}.parquet")
    return place, table


def test_a_folder_a_pattern_and_a_file_are_opened(folder):
    place, table = folder
    assert len(files.open_frame(place)) == len(files.open_frame(place / "[0-3].parquet")) == len(table)
    assert len(files.open_frame(place / "0.parquet")) == 750
    assert files.is_large(place)
    assert not files.is_large(place / "0.parquet")


def test_what_cannot_be_opened_is_named(folder, tmp_path):
    place, table = folder
    with pytest.raises(FileNotFoundError):
        files.open_frame(tmp_path / "nothing.parquet")
    table.to_csv(place / "more.csv")
    with pytest.raises(ValueError, match="all end in"):
        files.open_frame(place)


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(folder, tmp_path, monkeypatch):
    _, table = folder
    out = tmp_path / "out.parquet"
    files.write_frame(dd.from_pandas(table, npartitions=3), out)
    before = sorted(os.listdir(out))
    assert len(pd.read_parquet(out)) == len(table)

    class FullDisk:
        def to_parquet(self, path, **_):
            os.makedirs(path)
            open(os.path.join(path, "part.0.parquet"), "wb").close()
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        files.write_frame(FullDisk(), out)
    assert sorted(os.listdir(out)) == before
    assert sorted(os.listdir(tmp_path)) == ["out.parquet", "people"]
    files.write_frame(dd.from_pandas(table[:10], npartitions=1), out)
    assert len(pd.read_parquet(out)) == 10
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no folder of Parquet files"):
        files.write_frame(dd.from_pandas(table, npartitions=3), out)


def test_fit_on_local_workers(folder, tmp_path):
    place, table = folder
    out, model = tmp_path / "labelled.parquet", tmp_path / "model.npz"
    arguments = ["fit", str(place), "-s", "sex", "-k", "4", "--cluster", "local", "-o", str(out)]
    done = CliRunner().invoke(main, [*arguments, "--model", str(model), "--json", str(tmp_path / "f.json")])
    assert done.exit_code == 0, done.output
    assert "violation" in done.output
    labelled = pd.read_parquet(out)
    assert len(labelled) == len(table)
    assert additive_violation(labelled["cluster"].to_numpy(), labelled["sex"], bounds=0.2) == 0
    scaled = (table[list("wxyz")] - table[list("wxyz")].min()) / np.ptp(
        table[list("wxyz")].to_numpy(), axis=0
    )
    assert load_model(model).predict(scaled.to_numpy()).shape == (len(table),)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["-o", "out.csv"], 3, "must end in .parquet"),
        (["-o", "out.parquet", "--weights", "w"], 2, "in memory"),
        (["-o", "out.parquet", "-s", "gender"], 3, "no column 'gender'"),
        (["-o", "out.parquet", "--cluster", "tcp://127.0.0.1:9"], 3, "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_done_is_said(folder, tmp_path, monkeypatch, more, code, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["fit", str(folder[0]), "-s", "sex", "-k", "3", *more])
    assert (done.exit_code, message in done.output) == (code, True), done.output


def test_columns_read_back_alone_are_counted(tmp_path):
    draw = np.random.default_rng(0)
    table = pd.DataFrame(draw.normal(size=(60_000, 10)), columns=list("abcdefghij"))
    table["sex"], table["cluster"] = draw.choice(["F", "M"], 60_000), draw.integers(0, 3, 60_000)
    for i in range(6):
        table[i * 10_000 : (i + 1) * 10_000].to_parquet(tmp_path / f"{i}.parquet", index=False)
    back = dd.read_parquet(tmp_path)
    assert (
        back["cluster"].to_frame().optimize(fuse=False).npartitions < back.npartitions
    )  # Dask joins partitions
    expected = additive_violation(table["cluster"], table["sex"], bounds="exact")
    assert additive_violation(back["cluster"], back["sex"], bounds="exact") == expected > 0


def test_partitions_stay_where_they_are():
    with files.local_workers(2, 1 << 29) as client:
        assert client.submit(lambda: 1).result() == 1
        assert len(client.nthreads()) == 2
        assert "stealing" not in client.cluster.scheduler.periodic_callbacks
    assert dask.config.get("distributed.scheduler.work-stealing") is not False
