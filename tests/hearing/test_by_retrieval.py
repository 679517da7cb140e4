"""Transcription by retrieval: rolls as rows, votes of overlapping windows, grids of beats, and a recording found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hfmusic.data.rolls import notes_on_grid
from hfmusic.hearing.beat_grid import beat_times, step_times
from hfmusic.hearing.by_retrieval import RetrievalTranscriber
from hfmusic.hearing.roll_space import KeysSpace, on_grid, roll_space
from hfmusic.hearing.roll_votes import RollVotes
from hfmusic.metrics.notes import note_scores
from hfmusic.models.feature_extraction_music import resample
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieval.roll_rows import beginnings, roll_row, velocities, window_of
from hfmusic.roll_index import index_rolls, played_on_grid
from hfmusic.scores import read_played
from hfmusic.symbolic.performance import PerformedNote, write_performance
from hfmusic.testing.recordings import play_notes

RATE = 22050


def music(seed: int, beats: int = 20, tempo: float = 120.0) -> list[PerformedNote]:
    """Chords and a melody in quarters and eighths."""
    rng, notes, now = np.random.default_rng(seed), [], 0.0
    while now < beats:
        length = float(rng.choice([0.5, 1.0]))
        pitches = rng.choice(np.arange(48, 80), size=int(rng.integers(1, 4)), replace=False).tolist()
        times = (now * 60 / tempo, (now + 0.9 * length) * 60 / tempo)
        notes += [PerformedNote(*times, pitch, int(rng.integers(50, 100))) for pitch in pitches]
        now += length
    return sorted(notes)


def played(notes: list[PerformedNote], seconds: float) -> np.ndarray:
    """Decaying harmonics and faint noise at 22,050 Hz."""
    sound = resample(play_notes([note._asdict() for note in notes], seconds=seconds), 16000, RATE)
    return (sound + np.random.default_rng(1).normal(0, 1e-4, len(sound))).astype(np.float32)


def on_steps(notes: list[PerformedNote], grid: np.ndarray) -> np.ndarray:
    """Notes as pieces of rolls have them."""
    return notes_on_grid([n[:2] for n in notes], [n[2] for n in notes], [n[3] for n in notes], grid)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("midi")
    for seed in range(4):
        (folder / f"piece{seed}.mid").write_bytes(write_performance(music(seed), tempo=120))
    out = folder / "rolls.index"
    summary = index_rolls([folder], out=out, model="keys")
    assert (summary["pieces"], summary["failed"], summary["model"]) == (4, [], "keys")
    return out


def test_a_row_keeps_velocities_and_beginnings_and_a_key_struck_again_ends_its_note() -> None:
    row = roll_row([(0, 4, 60, 80), (2, 3, 60, 90), (1, 1, 62, 300), (-2, 2, 64, 70)], 5)
    assert velocities(row)[60].tolist() == [80, 80, 90, 0, 0]
    assert np.flatnonzero(beginnings(row)[60]).tolist() == [0, 2]
    assert (velocities(row)[62].tolist(), int(beginnings(row)[62].sum())) == ([0, 127, 0, 0, 0], 1)
    assert (velocities(row)[64].tolist(), beginnings(row)[64].any()) == ([70, 70, 0, 0, 0], False)
    window = window_of(row, -1, 3)
    assert window[:, 0].sum() == 0 and np.array_equal(window[:, 1:], row[:, :2])
    assert window_of(row, 9, 2).sum() == 0
    assert roll_row([]).shape == (128, 0)


def test_votes_give_back_the_notes_of_their_windows() -> None:
    notes = [PerformedNote(0.5, 1.0, 60, 80), PerformedNote(1.0, 1.5, 60, 90), PerformedNote(1.0, 2.0, 67, 70)]
    grid, steps = np.arange(97) * 0.05 - 0.5, 24
    row = roll_row([(round(n[0] / 0.05) + 10, round(n[1] / 0.05) + 10, n[2], n[3]) for n in notes], 96)
    votes = RollVotes(96)
    for start in range(-20, 96, 4):
        window = window_of(row, start, steps)
        votes.add(start, window > 0, beginnings(window).astype(float), velocities(window).astype(float), 0.1)
        wrong = np.zeros((128, steps))
        wrong[80] = 1
        votes.add(start, wrong, wrong, 50 * wrong, 0.04)
    found = votes.notes(grid)
    assert [(n.pitch_midi, n.velocity) for n in found] == [(60, 80), (60, 90), (67, 70)]
    assert np.allclose([n[:2] for n in found], [n[:2] for n in notes], atol=0.026)
    assert [n.pitch_midi for n in votes.notes(grid, minimum_seconds=0.7)] == [67]
    assert len(votes.notes(grid, onset_threshold=0.2, frame_threshold=0.2)) > 3
    assert RollVotes(5).notes(np.arange(6.0)) == []


def test_the_grid_follows_the_beats_and_takes_a_given_tempo() -> None:
    notes = [PerformedNote(0.6 * number, 0.6 * number + 0.4, 60 + number % 5, 90) for number in range(14)]
    sound = played(notes, 9.0)
    tracked = beat_times(sound, RATE)
    assert tracked[0] <= 0 and tracked[-1] >= 9
    ratio = float(np.median(np.diff(tracked))) / 0.6
    assert min(abs(np.log2(ratio / one)) for one in (0.5, 1, 2)) < 0.03
    given = np.diff(beat_times(sound, RATE, tempo=90))
    assert np.allclose(given, 60 / 90)
    silence = beat_times(np.zeros(RATE, np.float32), RATE)
    assert silence[0] <= 0 and silence[-1] >= 1 and np.allclose(np.diff(silence), 0.5)
    assert np.allclose(np.diff(step_times(np.array([0.0, 1.0, 2.0]), 4, ratio=2.0)), 1 / 8)


def test_keys_of_sound_and_of_its_roll_are_alike_and_silence_has_no_vector() -> None:
    space, notes = KeysSpace(), music(3, beats=8)
    grid = np.arange(8 * 24 + 1) / 48
    piece = on_grid(grid, on_steps(notes, grid))
    starts = np.arange(0, 120, 24)
    rolls = space.rolls(piece, starts)
    sounds = space.excerpts(space.listen(played(notes, 8.0)), piece, np.append(starts, 700))
    likeness = sounds[:-1] @ rolls.T
    assert (likeness.argmax(axis=1) == np.arange(len(starts))).all() and np.diag(likeness).min() > 0.6
    assert not sounds[-1].any() and np.allclose(np.linalg.norm(rolls, axis=1), 1, atol=1e-5)
    assert space.excerpts(space.listen(played(notes, 8.0)), piece, np.zeros(0, int)).shape[0] == 0


@pytest.mark.parametrize("tempo", [None, 120.0])
def test_what_the_index_holds_is_transcribed(index: Path, tempo: float | None) -> None:
    notes = music(2)
    told: list[float] = []
    hearing = RetrievalTranscriber(SnippetIndex.open(index), KeysSpace(), tempo=tempo)
    found = hearing.transcribe(None, played(notes, 10.5), progress=told.append)
    assert note_scores(notes, found)["note_f1"] > 0.8
    assert told[-1] == 1 and told == sorted(told)


def test_the_nearest_rolls_of_each_step_vote(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[np.ndarray] = []
    vote = RetrievalTranscriber._vote

    def kept(self: RetrievalTranscriber, votes: RollVotes, match: Any, counts: np.ndarray) -> None:
        steps = np.zeros(1000, np.int64)
        steps[100 + match.start : 100 + match.start + len(counts)] = counts
        counted.append(steps)
        vote(self, votes, match, counts)

    monkeypatch.setattr(RetrievalTranscriber, "_vote", kept)
    notes = music(1)
    for voters in (1, 3):
        counted.clear()
        hearing = RetrievalTranscriber(SnippetIndex.open(index), KeysSpace(), tempo=120.0, voters=voters)
        found = hearing.transcribe(None, played(notes, 12.0))
        assert found and np.sum(counted, axis=0).max() == voters
    with pytest.raises(ValueError, match="must be asked, and vote, got 0"):
        RetrievalTranscriber(SnippetIndex.open(index), KeysSpace(), voters=0)


def test_an_index_can_grow_shrink_and_refuse(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.index"
    assert index_rolls([index.parent / "piece0.mid"], out=out, model="keys")["pieces"] == 1
    more = index_rolls([index.parent / "piece1.mid"], out=out, add=True, hop=24)
    assert more["pieces"] == 2
    assert index_rolls(out=out, remove=["piece0.mid"])["pieces"] == 1
    row = SnippetIndex.open(out).row_picture(SnippetIndex.open(out).pieces[0])
    wanted = played_on_grid("piece1", read_played(index.parent / "piece1.mid"))
    assert row is not None and int(beginnings(row).sum()) == len(wanted.notes)
    with pytest.raises(ValueError, match=r"tune.abc: rolls are indexed of MIDI"):
        index_rolls([tmp_path / "tune.abc"], out=out)
    with pytest.raises(ValueError, match="at least one step"):
        index_rolls([index.parent], out=out, hop=0)
    with pytest.raises(ValueError, match="neighbour"):
        RetrievalTranscriber(SnippetIndex.open(out), roll_space("keys"), neighbours=0)


def test_an_index_of_another_model_is_refused(index: Path) -> None:
    other = KeysSpace()
    other.fingerprint = "keys-0"
    with pytest.raises(ValueError, match=r"an index of the model keys \(keys-1\), not of keys \(keys-0\)"):
        RetrievalTranscriber(SnippetIndex.open(index), other)
