"""Only who has the secret, only from the page itself, only under its own name."""

import pytest

from faircluster.app.guard import allowed_hosts, is_loopback
from tests.app.conftest import TOKEN, is_refused


def test_the_secret_is_needed_once_and_becomes_a_cookie(stranger):
    assert is_refused(stranger.get("/"), 403)
    assert is_refused(stranger.get("/static/app.js"), 403)
    assert is_refused(stranger.get("/", params={"token": "wrong"}), 403)
    answer = stranger.get("/", params={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert answer.headers["location"] == "/"
    assert TOKEN not in stranger.get("/").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1"])
def test_other_names_are_refused(client, host):
    host = host.format(port=client.base_url.port)
    assert is_refused(client.get("/", headers={"Host": host}), 400)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "[::1]"])
def test_names_of_this_machine_are_not(client, name):
    # the cookie that httpx keeps is for 127.0.0.1, so it is sent by hand
    cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
    headers = {"Host": f"{name}:{client.base_url.port}", "Cookie": cookie}
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": TOKEN},
    ],
)
@pytest.mark.parametrize("path", ["/example", "/jobs", "/forget", "/uploads?name=a.csv", "/jobs/x/cancel"])
def test_changes_from_elsewhere_are_refused(client, headers, path):
    assert is_refused(client.post(path, headers=headers), 403)


def test_every_answer_has_the_headers(client):
    for path in ("/", "/static/app.js", "/jobs/none"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_reading_only_needs_the_cookie_but_not_the_other_secret(client):
    del client.headers["X-CSRF-Token"]
    assert client.get("/").status_code == 200
    assert is_refused(client.post("/forget"), 403)


def test_hosts():
    assert not any(is_loopback(host) for host in ("0.0.0.0", "192.168.0.1", "example.org", "::"))
    assert all(is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"))
    assert allowed_hosts("127.0.0.1", 1) == {"localhost:1", "127.0.0.1:1", "[::1]:1"}
    assert "10.1.2.3:1" in allowed_hosts("10.1.2.3", 1)
