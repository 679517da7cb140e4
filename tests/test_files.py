"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hfmusic.files import write_atomic


def test_text_and_bytes(tmp_path: Path) -> None:
    assert write_atomic(tmp_path / "new" / "a.txt", "é").read_bytes() == b"\xc3\xa9"
    assert write_atomic(tmp_path / "b.bin", b"\0\1").read_bytes() == b"\0\1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.bin", "new"]


def test_a_failing_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomic(tmp_path / "a.txt", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ValueError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    file = write_atomic(tmp_path / "file", "x")
    with pytest.raises(ValueError, match="cannot be written"):
        write_atomic(file / "inside.txt", "y")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        assert write_atomic(tmp_path / "a", "x").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(mask)
