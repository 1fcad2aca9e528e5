"""Files come in as data, within limits, and are gone when they are not wanted."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.app.conftest import is_refused


def post(client, content, name="people.csv"):
    return client.post("/uploads", params={"name": name}, content=content)


def test_columns_are_described(uploaded):
    assert (uploaded["name"], uploaded["rows"]) == ("people.csv", 120)
    columns = {column["name"]: column for column in uploaded["columns"]}
    assert columns["age"]["numeric"]
    assert not columns["age"]["groups"]
    assert columns["sex"] == {
        "name": "sex", "numeric": False, "values": 2, "missing": 0, "groups": True, "likely": True,
    }  # fmt: skip
    assert columns["born"]["missing"] == 24
    assert not columns["id"]["numeric"]  # codes with leading zeros


def test_parquet_with_columns_of_any_type(client, tmp_path):
    table = pa.table({
        "sex": ["F", "M"] * 5, "old": [True, False] * 5, "x": range(10), "list": [[1]] * 10,
        "when": pa.array(range(10), pa.timestamp("s")), "n": pa.array([None] * 10, pa.float64()),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    found = post(client, (tmp_path / "t.parquet").read_bytes(), "t.parquet").json()
    columns = {column["name"]: column for column in found["columns"]}
    assert columns["old"]["groups"]
    assert columns["x"]["numeric"]
    assert not columns["list"]["groups"]
    assert columns["n"]["missing"] == 10


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "people.csv", "is empty"),
        (b"a,b\n1\n", "people.csv", "Expected 2 columns"),
        (b"a,b\n", "people.csv", "no rows"),
        (b"a\n\xff\xfe\n", "people.csv", "UTF-8"),
        (b"PAR1 no parquet", "people.parquet", "cannot be read as Parquet"),
        (b"a\n1\n", "people.xlsx", "must end in .csv or .parquet"),
        (b"a\n1\n", "", "must end in .csv or .parquet"),
    ],
)
def test_what_is_no_table_is_told_by_its_own_name(client, folder, content, name, message):
    answer = post(client, content, name)
    assert is_refused(answer, 400)
    assert message in answer.json()["problem"]
    assert str(folder) not in answer.text
    assert list(folder.iterdir()) == []


def test_more_bytes_than_allowed_are_not_kept(client, folder):
    def stream():
        for _ in range(30):
            yield b"1\n" * 5000

    assert is_refused(post(client, b"x\n" + b"1\n" * 150_000), 413)
    answer = post(client, stream())  # without a length
    assert is_refused(answer, 413)
    assert "larger than 0 MB" in answer.json()["problem"]
    assert list(folder.iterdir()) == []


def test_parquet_that_unpacks_to_too_much_is_not_read(client, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("faircluster.app.store.MOST_BYTES", 1000)
    pq.write_table(pa.table({"x": [f"{i:050d}" for i in range(5000)]}), tmp_path / "t.parquet")
    answer = post(client, (tmp_path / "t.parquet").read_bytes(), "t.parquet")
    assert "once unpacked" in answer.json()["problem"]
    monkeypatch.setattr("faircluster.app.store.MOST_CELLS", 1000)
    answer = post(client, (tmp_path / "t.parquet").read_bytes(), "t.parquet")
    assert "more than 1,000 cells" in answer.json()["problem"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc/people.csv", "/etc/people.csv", "..\\people.csv", "a\x00b.csv"])
def test_names_are_names_not_paths(client, folder, tmp_path, name):
    answer = post(client, b"sex,x\nF,1\nM,2\n", name)
    assert answer.status_code == 200
    assert "/" not in answer.json()["name"]
    (kept,) = folder.iterdir()
    assert [path.name for path in kept.iterdir()] == ["upload.csv"]
    assert {path.name for path in tmp_path.iterdir()} <= {"app"}


def test_forget_removes_everything(client, uploaded, folder):
    assert len(list(folder.iterdir())) == 1
    assert client.post("/forget").status_code == 200
    assert list(folder.iterdir()) == []
    answer = client.post("/jobs", json={"upload": uploaded["upload"]})
    assert is_refused(answer, 404)


def test_the_example_needs_no_file(client):
    found = client.post("/example").json()
    assert found["rows"] == 48_842
    assert found["suggested"]["sensitive"] == ["sex", "race"]
