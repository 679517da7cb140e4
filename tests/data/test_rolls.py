"""Windows of rolls: what is in them, which are one candidate, and that spectra follow the beat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hfmusic.data.rolls import (
    FRAME_RATE,
    NOTES,
    RollGeometry,
    RollPiece,
    cut_cqt,
    notes_on_grid,
    read_rolls,
    roll_numbers,
    roll_of,
    window_seconds,
    windows,
)
from hfmusic.testing.recordings import write_recordings
from hfmusic.testing.rolls import roll_row, write_rolls

SMALL = RollGeometry(1, steps_per_beat=4, hop_steps=1, frames=4)


def piece_of(steps: list[tuple[int, int, int, int]], grid: np.ndarray | None = None, per_beat: int = 4) -> RollPiece:
    """Of (onset step, offset step, pitch, velocity) each."""
    grid = np.arange(64) * 0.125 if grid is None else grid
    times = [(grid[on], grid[off]) for on, off, _, _ in steps]
    notes = notes_on_grid(times, [one[2] for one in steps], [one[3] for one in steps], grid)
    about = dict.fromkeys(("id", "work", "piece", "composer", "source", "font"), "x")
    return RollPiece(**about, program=0, transposition=0, audio=b"", seconds=8.0, steps_per_beat=per_beat,
                     notes=notes, step_seconds=grid)  # fmt: skip


def test_rolls_of_each_kind() -> None:
    piece = piece_of([(0, 3, 60, 127), (2, 4, 64, 50), (3, 5, 60, 50)])
    binary, velocity, onsets = (roll_of(piece.notes, 1, 4, kind) for kind in ("binary", "velocity", "onsets"))
    assert binary.shape == (128, 4) and binary.dtype == np.float32
    assert binary[60].tolist() == [1, 1, 1, 1] and binary[64].tolist() == [0, 1, 1, 0] and binary.sum() == 6
    assert velocity[60].tolist() == pytest.approx([1, 1, 50 / 127, 50 / 127])
    assert onsets[60].tolist() == [0.5, 0.5, 1, 0.5] and onsets[64].tolist() == [0, 1, 0.5, 0]
    strokes = np.rint(roll_of(piece.notes, 1, 4, "strokes") * 255)
    assert strokes[60].tolist() == [127, 127, 178, 50] and strokes[64].tolist() == [0, 178, 50, 0]
    assert roll_of(piece.notes, 40, 4).sum() == 0
    with pytest.raises(ValueError, match="a roll must be one of binary, velocity, onsets, strokes, got 'score'"):
        roll_of(piece.notes, 0, 4, "score")


def test_windows_in_which_nothing_sounds_are_left_out() -> None:
    piece = piece_of([(1, 3, 60, 80), (9, 12, 62, 80)])
    assert windows(piece, SMALL).tolist() == [0, 1, 2, 6, 7, 8]
    assert windows(piece, replace(SMALL, hop_steps=3)).tolist() == [0, 6]
    assert windows(piece_of([(0, 2, 60, 80)]), SMALL).tolist() == [0]  # shorter than a window
    assert windows(piece_of([]), SMALL).tolist() == []
    assert all(roll_of(piece.notes, start, 4).any() for start in windows(piece, SMALL).tolist())
    with pytest.raises(ValueError, match="x has 4 steps a beat, windows of 24 are wanted"):
        windows(piece, RollGeometry.recommended())


def test_windows_that_look_alike_are_one_candidate() -> None:
    held, repeated = piece_of([(0, 4, 60, 80), (4, 8, 60, 90)]), piece_of([(0, 8, 60, 20)])
    numbers = roll_numbers(held, windows(held, SMALL), SMALL)
    assert len(numbers) == 5 and len(set(numbers.tolist())) == 1
    assert set(numbers) == set(roll_numbers(repeated, windows(repeated, SMALL), SMALL))
    moved = piece_of([(0, 8, 61, 80)])
    assert not set(numbers) & set(roll_numbers(moved, windows(moved, SMALL), SMALL))
    rising = piece_of([(0, 2, 60, 80), (2, 4, 62, 80), (4, 6, 60, 80), (6, 8, 62, 80)])
    found = roll_numbers(rising, windows(rising, SMALL), SMALL)
    assert found[0] == found[4] and len(set(found.tolist())) == 4
    assert roll_numbers(rising, np.zeros(0, np.int64), SMALL).shape == (0,)


def test_spectra_follow_the_beat() -> None:
    """The music becomes half as fast: columns of a window are twice as far apart, and show the same steps."""
    grid = np.concatenate([np.arange(8) * 0.125, 1.0 + np.arange(9) * 0.25])
    piece = piece_of([(0, 16, 60, 80)], grid)
    assert piece.seconds_at(np.array([-2, 4, 8, 10.5, 18])).tolist() == [-0.25, 0.5, 1.0, 1.625, 3.5]
    geometry = RollGeometry(2, steps_per_beat=4, frames=8)
    fast, slow = window_seconds(piece, [0, 8], geometry)
    assert fast.tolist() == pytest.approx((np.arange(8) + 0.5) * 0.125) and np.diff(slow) == pytest.approx(0.25)
    rate = 100.0
    cqt = np.repeat(np.arange(400, dtype=np.float32)[:, None], 3, axis=1)  # a frame's value is its place
    assert cut_cqt(cqt, piece, 8, geometry, rate)[:, 0] == pytest.approx(slow * rate, abs=1e-3)
    beyond = cut_cqt(cqt + 1, piece, -4, geometry, rate)
    assert beyond.shape == (8, 3) and (beyond[:4] == 0).all() and (beyond[4:] > 0).all()
    plain, wider = (window_seconds(piece_of([]), [8], geometry, stretch)[0] for stretch in (1.0, 1.5))
    assert wider.mean() == pytest.approx(plain.mean()) and np.ptp(wider) == pytest.approx(1.5 * np.ptp(plain))


def test_geometries() -> None:
    assert (RollGeometry.paper().steps, RollGeometry.paper().frames) == (24, 43)
    assert (RollGeometry.paper_text().steps, RollGeometry.paper_text().frames) == (96, 172)
    assert RollGeometry.recommended() == RollGeometry(2) and RollGeometry(2).frames == 48
    assert FRAME_RATE == pytest.approx(43.07, abs=0.01)
    with pytest.raises(ValueError, match="frames of windows of rolls must be at least 1, got 0"):
        RollGeometry(1, frames=0)


def test_renditions_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = write_rolls(tmp_path / "rolls", train=2, keys=(0, 3), beats=4)
    pieces = list(read_rolls(folder, "train"))
    assert [(piece.id, piece.transposition) for piece in pieces[:2]] == [("train0+0", 0), ("train0+3", 3)]
    first, second = (piece.notes for piece in pieces[:2])
    assert first.dtype == NOTES and np.array_equal(first["pitch_midi"] + 3, second["pitch_midi"])
    assert pieces[0].composer == "nobody" and pieces[0].audio[:4] == b"fLaC"
    for piece in pieces:
        assert piece.seconds_at(piece.notes["onset_step"]) == pytest.approx(piece.notes["onset_seconds"])
    with pytest.raises(ValueError, match="no split 'dev' in"):
        list(read_rolls(folder, "dev"))


def test_recordings_are_put_on_a_steady_grid(tmp_path: Path) -> None:
    folder = write_recordings(tmp_path / "played", train=1, other=1)
    (piece,) = read_rolls(folder, "test")
    assert (piece.steps_per_beat, piece.program, piece.source) == (24, -1, "synthesized")
    assert np.diff(piece.step_seconds) == pytest.approx(0.5 / 24)
    assert piece.seconds_at(piece.notes["onset_step"]) == pytest.approx(piece.notes["onset_seconds"], abs=0.0105)
    assert len(windows(piece, RollGeometry.paper())) > 10


def no_grid(row: dict[str, Any]) -> None:
    row["step_seconds"] = [0.0, 0.0, 1.0]


def no_length(row: dict[str, Any]) -> None:
    row["notes"][0]["offset_step"] = row["notes"][0]["onset_step"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda row: row.update(id=""), "a row of pianoroll_audio has no id"),
        (lambda row: row.update(audio={"bytes": b"", "path": None}), "rendition one.0: no sound in its row"),
        (no_grid, "rendition one.0: step_seconds must be increasing numbers, two at least"),
        (no_length, "rendition one.0: a note that cannot be"),
        (lambda row: row.pop("piece"), "holds no piano rolls with audio: it has no column piece"),
    ],
)
def test_damaged_rows_are_named(tmp_path: Path, spoil: Any, message: str) -> None:
    music = {
        "notes": [dict(zip(NOTES.names or (), (0, 24, 0.0, 0.5, 60, 80), strict=True))],
        "step_seconds": [0.0, 0.02, 0.04],
        "steps_per_beat": 24,
    }
    row = roll_row("one", music)
    spoil(row)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=message):
        list(read_rolls(tmp_path, "test"))
