"""A file is written whole or not at all."""

import errno
import os
import stat

import pytest

from faircluster.atomic import atomic_write


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_replaces_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("failing", ["write", "fsync", "replace", "chmod"])
def test_failure_keeps_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if failing != "write":
        monkeypatch.setattr(os, failing, fail)

    def attempt():
        with atomic_write(path) as file:
            file.write(b"new")
            if failing == "write":
                fail()

    with pytest.raises(OSError, match="No space left"):
        attempt()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.bin"]


def test_interruption_leaves_nothing_behind(tmp_path):
    def attempt():
        with atomic_write(tmp_path / "out.bin") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt()
    assert names(tmp_path) == []


def test_permissions_follow_the_umask_or_the_old_file(tmp_path):
    old_mask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new.bin") as file:
            file.write(b"x")
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE((tmp_path / "new.bin").stat().st_mode) == 0o640
    (tmp_path / "new.bin").chmod(0o604)
    with atomic_write(tmp_path / "new.bin") as file:
        file.write(b"y")
    assert stat.S_IMODE((tmp_path / "new.bin").stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to("real.bin")
    with atomic_write(tmp_path / "link.bin") as file:
        file.write(b"new")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


def test_refuses_folders_and_devices(tmp_path):
    for path in (tmp_path, "/dev/null"):
        with pytest.raises(OSError, match="not a regular file"), atomic_write(path):
            pass
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_missing_folder_is_named(tmp_path):
    missing = pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist")
    with missing, atomic_write(tmp_path / "nowhere" / "out.bin"):
        pass


def test_failure_to_create_names_the_file_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with (
        pytest.raises(PermissionError, match="cannot write the file") as caught,
        atomic_write(tmp_path / "a.bin"),
    ):
        pass
    assert caught.value.filename == str(tmp_path / "a.bin")


def test_long_names_still_fit(tmp_path):
    path = tmp_path / ("n" * 250)
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"
