"""`hfmusic index` and `find` on MIDI files: what song is this, by sound and by MIDI, without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hfmusic
from hfmusic.embedding import embedder
from hfmusic.index import MIDI_STEP
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieve import find
from hfmusic.scores import read_played, score_files
from hfmusic.symbolic.performance import Beats, PerformedNote, write_performance

from .test_cli import run
from .test_find_and_align import abc, play, stand_in

TEMPO = 100.0


def performance(seed: int, count: int = 80) -> list[PerformedNote]:
    """A bass and a melody, a note each 0.3 s or so, of 20 keys."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.uniform(0.2, 0.4, count))
    keys = rng.choice(np.arange(55, 85), 20, replace=False)
    notes = [PerformedNote(float(at), float(at) + 0.35, int(rng.choice(keys)), 80) for at in onsets]
    return notes + [PerformedNote(float(at), float(at) + 1, int(rng.choice(keys)) - 12, 60) for at in onsets[::4]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("midi")
    (folder / "bach").mkdir()
    beats = Beats(tuple((np.arange(60) * 60 / TEMPO).tolist()), meter=3)
    for seed, name in enumerate(["one.mid", "two.MIDI", "bach/three.mid", "bach/four.mid"]):
        (folder / name).write_bytes(write_performance(performance(seed), beats=beats))
    return folder


@pytest.fixture(scope="module")
def indexed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("indexes") / "midi.index"
    summary = hfmusic.index([folder], out=out)
    assert (summary["model"], summary["pieces"], summary["failed"]) == ("chroma", 4, [])
    return out


def part(seed: int, first: float, seconds: float, pace: float = 1.0) -> list[PerformedNote]:
    """Some seconds of a performance, as they would be played slower or faster."""
    inside = [note for note in performance(seed) if first <= note.onset_seconds < first + seconds]
    return [
        note._replace(
            onset_seconds=(note.onset_seconds - first) * pace, offset_seconds=(note.offset_seconds - first) * pace
        )
        for note in inside
    ]


def test_a_midi_file_is_found_by_what_sounds_and_by_midi(
    indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = play([note[:3] for note in part(2, 8, 10, pace=1.05)], tmp_path / "take.wav")
    code, out, err = run("find", sound, "--index", indexed, "--json", capsys=capsys)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["pieces"][0]["piece"] == "bach/three.mid" and told["sure"] and told["pieces"][0]["page"] is None
    best = told["pieces"][0]
    assert best["quarter"] == pytest.approx((8 + best["audio_seconds"] / 1.05) * TEMPO / 60, abs=3)
    assert best["measure"] == str(int(best["quarter"] // 3) + 1)
    query = tmp_path / "query.mid"
    query.write_bytes(write_performance(part(1, 5, 8)))
    code, out, _ = run("find", query, "--index", indexed, capsys=capsys)
    assert code == 0 and "1. 0." in out and "two.MIDI: " in out and "begins at measure" in out and "page" not in out


def test_an_index_of_midi_holds_moments(folder: Path, indexed: Path) -> None:
    index = SnippetIndex.open(indexed)
    played = read_played(folder / "one.mid")
    own = index.places[index.places["piece"] == [piece.name for piece in index.pieces].index("one.mid")]
    assert (own["page"] == -1).all() and len(own) <= np.ceil(played.seconds / MIDI_STEP)
    assert own["quarter"] == pytest.approx(np.arange(len(own)) * MIDI_STEP * TEMPO / 60, abs=0.02)
    assert index.pieces[0].measures[:2] == (("1", 0.0), ("2", 3.0))


def test_midi_finds_scores_and_scores_come_first(folder: Path, tmp_path: Path) -> None:
    scores = tmp_path / "mixed"
    scores.mkdir()
    (scores / "song.abc").write_text(abc("Song", 3, measures=8))
    (scores / "song.mid").write_bytes((folder / "one.mid").read_bytes())
    assert [name for name, _ in score_files([scores])] == ["song.abc"]
    assert [name for name, _ in score_files([scores / "song.mid"])] == ["song.mid"]
    hfmusic.index([scores, folder / "one.mid"], out=tmp_path / "i", model="chroma", pictures=False)
    found = find(folder / "one.mid", tmp_path / "i")
    assert found.pieces[0].piece.name == "one.mid" and found.pieces[0].candidate.aligned > 0.9


def test_a_space_of_rolls_finds_midi_too(folder: Path, tmp_path: Path) -> None:
    hfmusic.index([folder], out=tmp_path / "i", model="keys")
    query = tmp_path / "query.mid"
    query.write_bytes(write_performance(part(3, 6, 9), tempo=TEMPO))
    found = find(query, tmp_path / "i")
    assert found.pieces[0].piece.name == "bach/four.mid" and embedder("keys").name == "keys"


def test_what_is_no_midi_gets_a_sentence(
    indexed: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mid").write_text("no MIDI")
    (tmp_path / "rest.mid").write_bytes(write_performance([], end_seconds=2.0))
    for name, words in (("text.mid", "text.mid: not a standard MIDI file"), ("rest.mid", "a MIDI file without notes")):
        code, _, err = run("find", tmp_path / name, "--index", indexed, capsys=capsys)
        assert code == 1 and words in err and len(err.strip().splitlines()) == 1
    code, _, err = run("find", tmp_path / "none.mid", "--index", indexed, capsys=capsys)
    assert code == 1 and "none.mid: cannot be read" in err
    code, out, err = run("index", folder / "one.mid", tmp_path / "text.mid", "--out", tmp_path / "i", capsys=capsys)
    assert code == 1 and "text.mid" in err and "pieces: 1" in out
    with pytest.raises(ValueError, match="the model stand-in reads engraved scores, not MIDI; try the model chroma"):
        hfmusic.index([folder], out=tmp_path / "j", model=stand_in())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no scores in this folder \(.*\.mid, \.midi\)"):
        hfmusic.index([tmp_path / "empty"], out=tmp_path / "j")
