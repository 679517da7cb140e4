"""`hfmusic index`, `find` and `align`: scores that are engraved here, recordings of them that are made here."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

import hfmusic
from hfmusic.align import COLUMNS, TimeMap, align, write_alignment
from hfmusic.embedding import ChromaEmbedder, ModelEmbedder, embedder
from hfmusic.render.sheet import Sheet
from hfmusic.retrieval import chroma
from hfmusic.retrieval.follow import Followed, Passage
from hfmusic.retrieve import find
from hfmusic.scores import read_sheet

from .retrieval.conftest import plain_sheet
from .test_cli import run

RATE = 22050
LETTERS = "C D E F G A B c d e f g a b".split()


def abc(title: str, seed: int, measures: int = 20) -> str:
    """A tune in eighths and quarters, four measures a line."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(measures // 4):
        bars = []
        for _ in range(4):
            lengths = rng.permutation([1, 1, 2, 2, 2]) if rng.random() < 0.5 else rng.permutation([2, 2, 2, 1, 1])
            bars.append("".join(f"{LETTERS[rng.integers(len(LETTERS))]}{length}" for length in lengths))
        lines.append("|".join(bars) + "|")
    return f"X:1\nT:{title}\nC:Anon\nM:4/4\nL:1/8\nQ:1/4=120\nK:C\n" + "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    (folder / "dances").mkdir()
    for seed, name in enumerate(["First.abc", "Second.abc", "dances/Third.abc"]):
        (folder / name).write_text(abc(Path(name).stem, seed))
    return folder


@pytest.fixture(scope="module")
def sheet(scores: Path) -> Sheet:
    return read_sheet(scores / "Second.abc")


@pytest.fixture(scope="module")
def indexed(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("indexes") / "my.index"
    summary = hfmusic.index([scores], out=out, model="chroma")
    assert (summary["pieces"], summary["failed"]) == (3, [])
    return out


def play(notes: Iterable[tuple[float, float, int]], path: Path, *, before: float = 0.0) -> Path:
    """A recording of decaying harmonics, after some seconds of faint noise."""
    listed = list(notes)
    sound = np.random.default_rng(0).normal(0, 1e-3, round((max(n[1] for n in listed) + before + 0.5) * RATE))
    for onset, offset, pitch in listed:
        first, last = round((onset + before) * RATE), round((offset + before) * RATE)
        time = np.arange(last - first) / RATE
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        waves = sum(0.6**number * np.sin(2 * np.pi * hertz * (number + 1) * time) for number in range(4))
        sound[first:last] += (
            0.2 * waves * np.minimum(1, np.minimum(time * 500, (time[-1] - time) * 100)) * np.exp(-2 * time)
        )
    soundfile.write(path, sound.astype(np.float32), RATE)
    return path


def performed(sheet: Sheet, seconds: Any) -> list[tuple[float, float, int]]:
    """Its notes at other times: `seconds` takes those of the score."""
    return [(float(seconds(n.onset_seconds)), float(seconds(n.offset_seconds)), n.pitch_midi) for n in sheet.notes]


def tempo_curve(score_seconds: float) -> float:
    """Slower towards the middle, faster towards the end."""
    return float(np.interp(score_seconds, [0, 10, 20, 30, 40], [0, 9, 20.5, 33, 42]))


def test_a_part_of_a_recording_is_found(
    sheet: Sheet, indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = [n for n in performed(sheet, lambda at: (at - 12) / 1.04) if n[0] >= 0 and n[1] < 20]
    recording = play(part, tmp_path / "take.wav")
    code, out, err = run("find", recording, "--index", indexed, "--picture", "-o", tmp_path, "--json", capsys=capsys)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert [one["piece"] for one in told["pieces"]][0] == "Second.abc"
    assert {one["piece"] for one in told["pieces"]} <= {"First.abc", "Second.abc", "dances/Third.abc"}
    confidences = [one["confidence"] for one in told["pieces"]]
    assert told["sure"] and confidences == sorted(confidences, reverse=True) and confidences[0] > 0.8
    best = told["pieces"][0]
    assert (best["title"], best["composer"], best["page"]) == ("Second", "Anon", 1)
    assert best["votes"] > 20 and best["measure"] == "7"
    assert best["quarter"] == pytest.approx(24 + 2 * best["audio_seconds"], abs=3)
    assert best["tempo"] == pytest.approx(125, rel=0.1)
    with Image.open(told["picture"]) as picture:
        assert picture.width > 300 and np.array(picture.convert("L")).min() < 50


def test_what_is_in_no_score_is_not_sure(indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 12 * RATE)
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    code, out, _ = run("find", tmp_path / "noise.wav", "--index", indexed, capsys=capsys)
    assert code == 0 and "probably none of the index's pieces" in out.splitlines()[0]
    other = [(n / 3, n / 3 + 0.3, int(p)) for n, p in enumerate(np.random.default_rng(5).integers(50, 90, 40))]
    assert not find(play(other, tmp_path / "other.wav"), indexed).sure


def test_what_cannot_be_found_gets_a_sentence(
    indexed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    code, _, err = run("find", tmp_path / "silence.wav", "--index", indexed, capsys=capsys)
    assert code == 1 and "it is silent" in err
    code, _, err = run("find", tmp_path / "silence.wav", "--index", tmp_path / "none", capsys=capsys)
    assert code == 1 and "no such index" in err
    with pytest.raises(ValueError, match=r"an index of the model chroma \(chroma-1\), not of stand-in"):
        find(tmp_path / "silence.wav", indexed, model=stand_in())


def test_an_index_is_changed_and_says_what_failed(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "i"
    (tmp_path / "broken.mxl").write_bytes(b"PK\x03\x04 broken")
    code, told, err = run(
        "index", scores / "First.abc", tmp_path / "broken.mxl", "--out", out, "--model", "chroma", capsys=capsys
    )
    assert code == 1 and "broken.mxl" in err and "pieces: 1" in told
    code, told, _ = run("index", scores / "dances", "--out", out, "--add", "--json", capsys=capsys)
    assert code == 0 and json.loads(told)["pieces"] == 2
    code, told, _ = run("index", "--out", out, "--remove", "First.abc", "--json", capsys=capsys)
    assert code == 0 and json.loads(told)["pieces"] == 1
    code, _, err = run("index", "--out", out, "--remove", "First.abc", capsys=capsys)
    assert code == 1 and "no piece 'First.abc'" in err
    code, _, err = run("index", tmp_path / "broken.mxl", "--out", tmp_path / "j", "--model", "chroma", capsys=capsys)
    assert code == 1 and "none of 1 scores can be indexed" in err and not (tmp_path / "j").exists()
    code, _, err = run("index", "--out", tmp_path / "j", capsys=capsys)
    assert code == 1 and "no scores to index" in err
    (tmp_path / "empty").mkdir()
    code, _, err = run("index", tmp_path / "empty", "--out", tmp_path / "j", capsys=capsys)
    assert code == 1 and "no scores in this folder" in err


@pytest.fixture(scope="module")
def aligned(sheet: Sheet, scores: Path, tmp_path_factory: pytest.TempPathFactory) -> TimeMap:
    recording = play(performed(sheet, tempo_curve), tmp_path_factory.mktemp("sounds") / "concert take.wav", before=3.0)
    return align(recording, scores / "Second.abc", method="chroma")


def test_a_tempo_curve_is_followed(aligned: TimeMap, sheet: Sheet) -> None:
    onsets = sorted({(note.onset_quarters, note.onset_seconds) for note in sheet.notes})
    assert [row.quarter for row in aligned.rows] == pytest.approx([quarter for quarter, _ in onsets])
    wanted = np.array([tempo_curve(seconds) + 3 for _, seconds in onsets])
    errors = np.abs(np.array([row.audio_seconds for row in aligned.rows]) - wanted)
    assert np.median(errors) < 0.04 and np.percentile(errors, 90) < 0.12
    assert aligned.likely and aligned.fit > 0.6 and aligned.method == "chroma"
    assert [number for number, _ in aligned.measures] == [str(number) for number in range(1, 21)]
    begins = [tempo_curve(2.0 * number) + 3 for number in range(20)]
    assert [at for _, at in aligned.measures] == pytest.approx(begins, abs=0.3)


def test_the_table_the_json_and_the_page(aligned: TimeMap, sheet: Sheet, tmp_path: Path) -> None:
    paths = write_alignment(aligned, tmp_path)
    assert [path.name for path in paths] == [f"concert take.align.{kind}" for kind in ("csv", "json", "html")]
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert tuple(rows[0]) == COLUMNS == ("audio_seconds", "quarter", "measure", "beat", "page", "x_pixels")
    assert len(rows) == len(aligned.rows) and (rows[0]["measure"], rows[0]["beat"]) == ("1", "1.0")
    xs = {round(note.x, 1) for note in sheet.notes}
    assert {float(row["x_pixels"]) for row in rows} <= xs
    told = json.loads(paths[1].read_text())
    assert told["rows"][3]["quarter"] == float(rows[3]["quarter"]) and told["measures"][0]["measure"] == "1"
    page = paths[2].read_text()
    assert "data:audio/wav;base64," in page and page.count("data:image/png;base64,") == len(sheet.pages)
    moments = json.loads(page.split('type="application/json">')[1].split("</script>")[0])["moments"]
    assert len(moments) >= len(rows) and moments == sorted(moments, key=lambda moment: moment[0])


def test_a_long_recording_is_beside_the_page(aligned: TimeMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["hfmusic.align"], "_MOST_INSIDE", 10)  # `hfmusic.align` is the verb
    page, sound = write_alignment(aligned, tmp_path, ("html",))
    assert sound.name == "concert take.align.wav" and 'src="concert%20take.align.wav"' in page.read_text()


def test_a_recording_of_something_else_is_told(
    scores: Path, sheet: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = play(performed(sheet, lambda at: at), tmp_path / "other.wav")
    code, out, err = run(
        *("align", recording, scores / "First.abc", "--method", "chroma", "--format", "csv", "-o", tmp_path),
        capsys=capsys,
    )
    assert code == 0 and "hardly sounds like" in err and "other.align.csv" in out


def test_what_cannot_be_aligned_gets_a_sentence(
    scores: Path, aligned: TimeMap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = "X:1\nT:Rest\nM:4/4\nL:1/4\nK:C\nz4|z4|\n"
    (tmp_path / "rest.abc").write_text(silent)
    code, _, err = run("align", aligned.source, tmp_path / "rest.abc", "--method", "chroma", capsys=capsys)
    assert code == 1 and "rest.abc" in err and len(err.strip().splitlines()) == 1
    with pytest.raises(ValueError, match="method must be one of auto, better, plain, chroma"):
        align(aligned.source, scores / "First.abc", method="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the plain method needs a model"):
        align(aligned.source, scores / "First.abc", method="plain", model="chroma")
    with pytest.raises(ValueError, match="csv, json and html, got pdf"):
        write_alignment(aligned, tmp_path, ("pdf",))
    with pytest.raises(ValueError, match="no space for audio and sheet music"):
        embedder("crnn-omr")


def test_a_path_between_two_onsets_gets_a_sentence(
    scores: Path, aligned: TimeMap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = Followed([Passage(np.array([0.0, 1.0]), np.array([0.1, 0.2]))], 0.1)
    monkeypatch.setattr(sys.modules["hfmusic.align"], "_better", lambda *_, **__: nowhere)
    code, _, err = run("align", aligned.source, scores / "First.abc", capsys=capsys)
    assert code == 1 and "no onset of" in err and len(err.strip().splitlines()) == 1


class Towers(torch.nn.Module):
    """A stand-in for a model: both towers give the pitch class that is to be heard or seen in the middle."""

    def get_audio_features(self, input_features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(input_features[:, 0, 0], dim=-1)

    def get_score_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        grey = torch.round((pixel_values[:, 0, 0, 0] * 255 - 10) / 20)
        return torch.nn.functional.one_hot(grey.long().clamp(0, 11), 12).float()


class Cutter:
    """Its processor: frames of chroma as a spectrogram, single pixels as snippets."""

    sampling_rate, frame_rate, frame_size, image_height = RATE, chroma.FRAME_RATE, chroma.WINDOW, 60
    fitted_height = None

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        return chroma.features(chroma.sound_energies(sound))[:, :12]

    def excerpts(self, spectrogram: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        frames = np.clip(np.round(np.asarray(seconds) * self.frame_rate).astype(int), 0, len(spectrogram) - 1)
        return np.maximum(spectrogram[frames], 1e-6)[:, None, None]

    def snippets(self, row: np.ndarray, xs: np.ndarray) -> np.ndarray:
        return (
            row[30, np.clip(np.asarray(xs).astype(int), 0, row.shape[1] - 1)].astype(np.float32)[:, None, None, None]
            / 255
        )


def stand_in() -> ModelEmbedder:
    return ModelEmbedder(SimpleNamespace(model=Towers(), processor=Cutter()), "stand-in")


@pytest.mark.parametrize(("method", "wanted"), [("plain", 0.35), ("better", 0.06), ("auto", 0.06)])
def test_a_model_is_followed(method: Any, wanted: float, tmp_path: Path) -> None:
    """Plain, the place of a note is known to half its length; with chroma its beginning is."""
    sheet = plain_sheet(np.random.default_rng(7).integers(60, 84, 48).tolist())
    found = align(play(performed(sheet, tempo_curve), tmp_path / "a.wav"), sheet, method=method, model=stand_in())
    assert found.method == ("plain" if method == "plain" else "better")
    wrong = [abs(row.audio_seconds - tempo_curve(row.quarter / 2)) for row in found.rows]
    assert len(wrong) >= 46 and np.median(wrong) < wanted
    assert found.rows[20].x_pixels == pytest.approx(sheet.notes[round(found.rows[20].quarter)].x)


def test_a_models_vectors_are_indexed_and_tell_models_apart(tmp_path: Path) -> None:
    from hfmusic.index import new_piece
    from hfmusic.retrieval.index import change_index

    one = stand_in()
    sheet = plain_sheet(np.random.default_rng(3).integers(60, 72, 48).tolist())
    index = change_index(
        tmp_path / "i", [new_piece("plain", "", sheet, one)], model=one.name, fingerprint=one.fingerprint
    )
    found = find(play(performed(sheet, lambda at: at), tmp_path / "a.wav"), index, model=one)
    assert found.pieces[0].piece.title == "Plain" and found.pieces[0].candidate.aligned > 0.6
    other = Towers()
    other.register_buffer("weight", torch.ones(1))
    assert ModelEmbedder(SimpleNamespace(model=other, processor=Cutter())).fingerprint != one.fingerprint


def test_a_long_recording_is_heard_in_parts(sheet: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfmusic.models.audio_reading import Sound

    recording = play(performed(sheet, lambda at: at), tmp_path / "a.wav")
    monkeypatch.setattr("hfmusic.embedding._PART_SECONDS", 7)
    with Sound(recording, sampling_rate=RATE) as sound:
        moments = np.arange(0, sound.seconds, 0.5)
        assert stand_in().sound(sound, moments).shape == (len(moments), 12)
        whole = ChromaEmbedder().sound(sound, moments)
    assert np.linalg.norm(whole, axis=1) == pytest.approx(1, abs=1e-4)
