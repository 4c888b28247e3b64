"""Files are written whole or not at all, and what vouches for them cannot be changed unseen."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard._io.files import MAX_JSON_BYTES, read_json, sync_folder, write_whole
from regard._io.manifest import changed, seal, size_and_digest, unseal


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
