import csv

import numpy as np
import pytest
from click.testing import CliRunner

from faircluster.cli import main

HEADER = ["id", "name", "age", "income", "sex", "race", "w", "born"]


def make_rows(n, seed):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        place = rng.integers(3)
        sex = "F" if rng.random() < 0.3 + 0.2 * place else "M"
        rows.append(
            [
                f"{i:05d}",
                f'O\'Neil, "{i}"' if i % 7 else "line\nbreak é",
                f"{20 + 20 * place + rng.normal():.3f}",
                f"{1000 * place + 100 * rng.normal():.2f}",
                sex,
                rng.choice(["a", "b"]),
                str(rng.integers(1, 4)),
                "" if i % 5 == 0 else f"19{50 + i % 50}-01-02",
            ]
        )
    return rows


def write_csv(path, rows, header=HEADER):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def people(tmp_path):
    return write_csv(tmp_path / "people.csv", make_rows(90, 0))


@pytest.fixture
def newcomers(tmp_path):
    return write_csv(tmp_path / "new.csv", make_rows(60, 1))


@pytest.fixture
def run():
    """Run the command; the result must never show a traceback."""

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        if code:
            assert result.stderr.strip()
        return result

    return run
