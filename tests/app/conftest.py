import socket
import threading
import time

import httpx
import pytest
import uvicorn

from faircluster.app import create_app
from tests.cli.conftest import make_rows, write_csv

TOKEN = "secret-of-the-test"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "app"
    path.mkdir()
    return path


@pytest.fixture
def stranger(folder):
    """A client of a real server that does not know the secret."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        app = create_app(folder, token=TOKEN, port=port, max_upload_bytes=200_000)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client(stranger):
    """A client that opened the address, with what the page sends along with every change."""
    answer = stranger.get("/", params={"token": TOKEN})
    assert answer.status_code == 303
    page = stranger.get("/")
    assert page.status_code == 200
    csrf = page.text.split('name="csrf" content="')[1].split('"')[0]
    stranger.headers["X-CSRF-Token"] = csrf
    stranger.headers["Origin"] = str(stranger.base_url).rstrip("/")
    return stranger


@pytest.fixture
def people(tmp_path):
    return write_csv(tmp_path / "people.csv", make_rows(120, 0))


@pytest.fixture
def uploaded(client, people):
    answer = client.post("/uploads", params={"name": "people.csv"}, content=people.read_bytes())
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def ask(client, uploaded):
    """Start a job and wait for its end."""

    def ask(**changes):
        given = {
            "upload": uploaded["upload"], "sensitive": ["sex"], "features": ["age", "income"],
            "objective": "k-means", "clusters": 3, "slack": 0.4, "starts": 1, "tradeoff": False, **changes,
        }  # fmt: skip
        answer = client.post("/jobs", json=given)
        if answer.status_code != 200:
            return answer
        key = answer.json()["job"]
        for _ in range(1200):
            now = client.get(f"/jobs/{key}").json()
            if now["state"] not in ("waiting", "running"):
                return key, now
            time.sleep(0.05)
        raise AssertionError(f"still {now}")

    return ask


def is_refused(answer: httpx.Response, status: int) -> bool:
    return answer.status_code == status and "traceback" not in answer.text.lower()
