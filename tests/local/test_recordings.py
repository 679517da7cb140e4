"""MAPS, GuitarSet and piano-midi.de as they are: names of compositions, and what is tested on is never trained on."""

from __future__ import annotations

from pathlib import Path

from hfmusic.build import build
from hfmusic.data.label_sources import Source
from hfmusic.data.recordings import read_recordings
from hfmusic.data.works import work_of


def works(folder: Path, pattern: str) -> dict[str, str]:
    return {path.stem: work_of(path.stem) for path in sorted(folder.glob(pattern))}


def test_every_tested_composition_is_found_among_the_performances(data_dir: Path) -> None:
    performances = works(data_dir / "midi", "*/*.mid")
    assert len(performances) > 300
    tested = works(data_dir / "maps" / "test", "tsv/*.tsv")
    assert tested and set(tested.values()) <= set(performances.values())
    assert Source.parse(str(data_dir / "maps" / "test")).works() == set(tested.values())
    trained = works(data_dir / "maps" / "train", "tsv/*.tsv")
    assert set(trained.values()) <= set(performances.values()) and not set(trained.values()) & set(tested.values())


def test_names_tell_compositions_apart(data_dir: Path) -> None:
    performances = works(data_dir / "midi", "*/*.mid")
    assert len(performances) - len(set(performances.values())) == 2  # Godowsky's arrangements


def test_maps_is_built(data_dir: Path, tmp_path: Path) -> None:
    summary = build("maps", tmp_path / "out", data_dir=data_dir / "maps", num_proc=1)
    assert summary["failed"] == 0 and summary["rows"]["test"] == 10
    for recording in read_recordings(tmp_path / "out", "test"):
        assert len(recording.notes) > 300 and all(21 <= note.pitch_midi <= 108 for note in recording.notes)
