"""Files are written whole or not at all, and what vouches for them cannot be changed unseen."""

import errno
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard._io.faults import sentence, writing
from regard._io.files import (
    MAX_JSON_BYTES,
    read_file,
    read_json,
    read_json_file,
    sync_folder,
    write_whole,
)
from regard._io.manifest import (
    NAME,
    changed,
    seal,
    size_and_digest,
    unseal,
    verify_manifest,
    write_manifest,
)
from regard.errors import UsageError
from regard.run.settings import read_toml


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "config.json"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_on_a_folder_is_not_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        sync_folder(tmp_path)


def test_a_system_that_cannot_synchronize_folders_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", cannot)
    sync_folder(tmp_path)
    sync_folder(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', "[NaN]", "[-Infinity]", "[" * 100_000, " " * (MAX_JSON_BYTES + 1)]
)
def test_json_that_means_two_things_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_a_file_is_described_by_its_size_and_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert size_and_digest(path) == {"bytes": 3, "sha256": known}
    assert changed(path, size_and_digest(path)) is None
    assert "has 3 bytes, 4 were written" in str(changed(path, {"bytes": 4, "sha256": known}))
    path.write_bytes(b"abd")
    assert "are not those" in str(changed(path, {"bytes": 3, "sha256": known}))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_sealed_table_is_read_as_it_was_or_not_at_all(place: int, change: int) -> None:
    entries = {"step": 10, "files": {"ä.json": {"bytes": 3, "sha256": "ab"}}, "keep": [1, None]}
    content = bytearray(seal(entries))
    content[place % len(content)] ^= change
    try:
        found = unseal(bytes(content))
    except ValueError:
        return
    assert found == entries


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"sealed": 1}'])
def test_what_is_not_sealed_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        unseal(content)


def test_a_sparse_file_of_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch()
    os.truncate(path, 2**30)
    tracemalloc.start()
    for read in (read_file, read_json_file):
        with pytest.raises(ValueError, match="has 1,073,741,824 bytes, more than the 16,777,216"):
            read(path)
    with pytest.raises(UsageError, match="config.toml cannot be read: .*has 1,073,741,824 bytes"):
        read_toml(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "task.json")
    with pytest.raises(ValueError, match="it is a pipe or a device, no file"):
        read_json_file(tmp_path / "task.json")


@pytest.mark.parametrize("name", ["../other", "/etc/hosts", "deep/file", "..", ".", "", "a\\b"])
def test_a_manifest_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").write_text("1")
    folder = tmp_path / "best"
    folder.mkdir()
    write_manifest(folder, [])
    with pytest.raises(ValueError, match="which is not in its folder; copy the whole run"):
        verify_manifest(folder, [name])


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "other").write_text("1")
    (folder / "linked").symlink_to(folder / "other")
    write_manifest(folder, ["linked", "other"])
    verify_manifest(folder, ["linked", "other"])
    (folder / "linked").unlink()
    (folder / "linked").symlink_to(tmp_path / "other")
    with pytest.raises(ValueError, match=f"{NAME} names 'linked', which is not in its folder"):
        verify_manifest(folder, ["linked"])


def test_an_error_of_another_file_is_not_said_of_the_one_that_is_written(tmp_path: Path) -> None:
    code, said = errno.EMFILE, os.strerror(errno.EMFILE)
    for name, what in [
        (tmp_path / "pairs.tsv", f"{tmp_path}/pairs.tsv: {said}; allow more open files"),
        (tmp_path / ".data" / "a.arrow", f"{tmp_path}/.data could not be written: {said}; what"),
        (tmp_path / ".reading.host.7.x.tmp" / "a", f"{tmp_path}/.data could not be written: "),
    ]:
        with pytest.raises(OSError) as caught, writing(tmp_path / ".data"):
            raise OSError(code, said, str(name))
        assert sentence(caught.value).startswith(what)
