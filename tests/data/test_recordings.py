"""Recordings with notes, whatever layout they come in: pairs, archives, Parquet; and damaged ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.data.note_files import Note
from hfmusic.data.recordings import Recording, read_recordings
from hfmusic.data.schema import RECORDING_FEATURES, parquet_schema
from hfmusic.data.shards import Row

NOTE = {"onset_seconds": 0.5, "offset_seconds": 0.75, "pitch_midi": 60, "velocity": 80, "string": 0}
TSV = "# onset,offset,note,velocity\n0.500000\t0.750000\t60.000000\t80.000000\n"


def sound_bytes(kind: str = "FLAC") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(1600) / 5).astype(np.float32) / 2, 16000, format=kind)
    return file.getvalue()


def row(**changes: object) -> Row:
    return {
        "id": "a",
        "work": "w",
        "source": "maps",
        "instrument": "piano",
        "program": -1,
        "font": "",
        "audio": {"bytes": sound_bytes(), "path": None},
        "seconds": 0.1,
        "notes": [NOTE],
    } | changes


def write_rows(path: Path, *rows: Row) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=parquet_schema(RECORDING_FEATURES)), path)
    return path


def names(folder: Path) -> list[str]:
    return [recording.id for recording in read_recordings(folder, "test")]


def test_pairs_flat_and_in_folders_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "flac").mkdir()
    (tmp_path / "tsv").mkdir()
    (tmp_path / "flac" / "MAPS_MUS-chpn-e01_ENSTDkCl.flac").write_bytes(sound_bytes())
    (tmp_path / "tsv" / "MAPS_MUS-chpn-e01_ENSTDkCl.tsv").write_text(TSV)
    (tmp_path / "b.wav").write_bytes(sound_bytes("WAV"))
    (tmp_path / "b.txt").write_text("0.1\t0.2\t60\n")
    (tmp_path / "alone.tsv").write_text(TSV)
    (tmp_path / "README.txt").write_text("not notes")
    first, second = read_recordings(tmp_path, "test")
    assert first == Recording(
        "MAPS_MUS-chpn-e01_ENSTDkCl", "chpn-op10-e1", "maps", "piano", sound_bytes(), [Note(0.5, 0.75, 60, 80)]
    )
    assert (second.id, second.work, second.source, second.notes) == ("b", "b", "", [Note(0.1, 0.2, 60, 64)])


def test_the_better_of_several_files(tmp_path: Path) -> None:
    for name, text in (("a.txt", "0\t1\t50\n"), ("a.tsv", TSV)):
        (tmp_path / name).write_text(text)
    (tmp_path / "a.wav").write_bytes(sound_bytes("WAV"))
    (tmp_path / "a.flac").write_bytes(sound_bytes())
    (only,) = read_recordings(tmp_path)
    assert only.audio[:4] == b"fLaC" and only.notes[0].pitch_midi == 60
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.flac").write_bytes(sound_bytes())
    with pytest.raises(ValueError, match=r"a.flac and .*a.flac have one name"):
        names(tmp_path)


def test_members_of_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "sounds.zip", "w") as archive:
        archive.writestr("deep/down/b_mic.wav", sound_bytes("WAV"))
        archive.writestr("__MACOSX/._b_mic.wav", b"junk")
    (tmp_path / "b.tsv").write_text(TSV)
    (only,) = read_recordings(tmp_path)
    assert only.id == "b" and only.audio == sound_bytes("WAV")
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04junk")
    with pytest.raises(ValueError, match="half.zip is a damaged zip archive"):
        names(tmp_path)


def test_parquet_row_by_row(tmp_path: Path) -> None:
    late, early = NOTE | {"onset_seconds": 0.6}, NOTE | {"pitch_midi": 59, "string": 3}
    write_rows(tmp_path / "data" / "test-00000-of-00002.parquet", row(notes=[late, early, NOTE]), row(id="b", notes=[]))
    write_rows(tmp_path / "data" / "test-00001-of-00002.parquet", row(id="c"))
    write_rows(tmp_path / "data" / "train-00000-of-00001.parquet", row(id="d"))
    first, *rest = read_recordings(tmp_path, "test")
    assert [note.pitch_midi for note in first.notes] == [59, 60, 60] and first.notes[0].string == 3
    assert [recording.id for recording in rest] == ["b", "c"] and rest[0].notes == []
    assert first.audio == sound_bytes()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"id": None}, "a row of the recordings has no id"),
        ({"audio": None}, "recording a: no sound in its row"),
        ({"audio": {"bytes": b"", "path": None}}, "recording a: no sound in its row"),
        ({"notes": None}, "recording a: no notes in its row"),
        ({"notes": [NOTE | {"pitch_midi": None}]}, "recording a: a note without pitch_midi"),
        ({"notes": [NOTE | {"pitch_midi": 200}]}, "recording a: a note of pitch 200"),
        ({"notes": [NOTE | {"offset_seconds": 0.25}]}, "recording a: a note from 0.5 to 0.25 s"),
        ({"notes": [NOTE | {"onset_seconds": float("nan")}]}, "recording a: a note from nan"),
    ],
)
def test_damaged_rows_are_named(tmp_path: Path, changes: Row, match: str) -> None:
    write_rows(tmp_path / "test.parquet", row(**changes))
    with pytest.raises(ValueError, match=match):
        names(tmp_path)


def test_what_is_no_dataset_of_recordings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no Parquet files in .* and no pairs"):
        names(tmp_path)
    with pytest.raises(ValueError, match="must be a folder, or owner/name"):
        names(tmp_path / "none")
    write_rows(tmp_path / "a" / "train.parquet", row())
    with pytest.raises(ValueError, match="no split 'test' in"):
        names(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "test.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="test.parquet is a damaged Parquet file"):
        names(tmp_path / "b")
    (tmp_path / "c").mkdir()
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "c" / "test.parquet")
    with pytest.raises(ValueError, match="holds no recordings: it has no column work"):
        names(tmp_path / "c")
