"""Recordings on the command line, alone, mixed with pictures, and fused with one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile as sf
import torch

import hfmusic.hearing.ear
from hfmusic.fuse import transcribe_pair
from hfmusic.hub import Loaded, load
from hfmusic.inputs import Models, expand, kind_of
from hfmusic.metrics.sequence import edit_distance
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.processing_ctc import make_processor
from hfmusic.render.synthesize import Synthesizer, shipped_font
from hfmusic.symbolic.midi import write_midi
from hfmusic.symbolic.semantic import read_semantic, split_tokens
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.transcribe import transcribe, transcribe_files

from .hearing.conftest import RATE, ToneEar, play
from .test_cli import run

GOLDEN = Path(__file__).parent / "golden" / "primus" / "000051652-1_2_1.png"
REFERENCE = split_tokens(GOLDEN.with_suffix(".semantic").read_text())
TUNE = (
    "clef-G2 timeSignature-4/4 note-C4_quarter note-D4_quarter note-E4_eighth note-F4_eighth note-G4_quarter barline "
    "note-A4_half note-G4_half barline note-E4_quarter note-C4_quarter note-D4_half"
)


def encoded(sound: np.ndarray, rate: int = RATE, format: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    sf.write(file, sound, rate, format=format, subtype=subtype)
    return file.getvalue()


def tiny(modalities: list[str], says: str | None = None) -> Loaded:
    """An untrained network; `says`: one that reads this token in everything."""
    vocabulary = load_vocabulary("semantic")
    torch.manual_seed(0)
    config = CRNNConfig(
        input_height=96 if modalities == ["audio"] else 64,
        conv_channels=[2, 2],
        conv_kernels=[[3, 3], [3, 3]],
        pool_sizes=[[4, 2], [4, 1]],
        hidden_size=4,
        vocab_size=len(vocabulary),
        modalities=modalities,
    )
    model = CRNNForCTC(config)
    if says:
        with torch.no_grad():
            model.ctc_head.weight.zero_()
            model.ctc_head.bias[vocabulary.id_of(says)] = 20.0
    height = config.input_height
    audio = {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0, "height": height}
    images = {} if modalities == ["audio"] else {"height": height}
    return Loaded(model.eval(), make_processor(vocabulary.tokens, modalities=modalities, audio=audio, **images))


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a model that hears middle C in everything."""
    folder = tmp_path_factory.mktemp("listener")
    loaded = tiny(["audio"], "note-C4_quarter")
    loaded.model.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model is named, it hears tones."""
    monkeypatch.setattr(hfmusic.hearing.ear, "Ear", lambda loaded, method: ToneEar())


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.wav"
    path.write_bytes(encoded(play(TUNE, 96)))
    return path


def test_a_model_hears_a_file(listener: str, tune: Path) -> None:
    found = transcribe(tune, listener)
    assert found.tokens == ("note-C4_quarter",)
    assert (found.unit, found.source) == ("seconds", str(tune))
    assert found.confidence > 0.9
    (span,) = found.spans
    assert span is not None
    assert span[0] == pytest.approx(0, abs=0.1)
    assert span[1] == pytest.approx(7.5, abs=0.7)  # twelve quarters at 96 a minute


@pytest.mark.parametrize(
    ("format", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_U8", 8000, 1),
        ("WAV", "PCM_24", 96000, 2),
        ("WAV", "FLOAT", 48000, 6),
        ("FLAC", "PCM_16", 44100, 2),
        ("OGG", "VORBIS", 44100, 1),
        ("MP3", "MPEG_LAYER_III", 16000, 1),
        ("AIFF", "PCM_16", 22050, 1),
    ],
)
def test_any_file_reads_as_the_tune(
    format: str, subtype: str, rate: int, channels: int, trained: None, listener: str, tmp_path: Path
) -> None:
    import soxr

    path = tmp_path / "tune.bin"
    sound = soxr.resample(play(TUNE, 120), RATE, rate)
    path.write_bytes(encoded(np.stack([sound] * channels, axis=1), rate, format, subtype))
    assert transcribe(path, listener, tempo=120).tokens == tuple(TUNE.split())


def test_arrays(trained: None, listener: str) -> None:
    sound = play(TUNE, 120)
    assert transcribe(sound, listener, tempo=120).tokens == tuple(TUNE.split())
    slow = np.repeat(sound, 2)
    assert transcribe(slow, listener, tempo=120, sampling_rate=2 * RATE).source == "sound"


def test_the_tempo_is_found_and_told(
    trained: None, listener: str, tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("transcribe", tune, "--model", listener, "--format", "semantic,midi,musicxml", "-o", out)
    code, text, err = run(*arguments, capsys=capsys)
    assert (code, err) == (0, "")
    assert text.startswith(f"{tune}: {len(TUNE.split())} symbols, ")
    assert "% sure, 96 quarter notes a minute -> tune.semantic, tune.mid, tune.musicxml" in text
    assert split_tokens((out / "tune.semantic").read_text()) == TUNE.split()
    (told,) = [message for message in mido.MidiFile(out / "tune.mid").tracks[0] if message.type == "set_tempo"]
    assert mido.tempo2bpm(told.tempo) == pytest.approx(96, abs=0.5)
    assert (
        "<per-minute>96" in (out / "tune.musicxml").read_text() or 'tempo="95.' in (out / "tune.musicxml").read_text()
    )


def test_a_given_tempo_is_taken(
    trained: None, listener: str, tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("transcribe", tune, "--model", listener, "--tempo", 192, "--json", "-o", tmp_path)
    code, text, _ = run(*arguments, capsys=capsys)
    assert code == 0
    (row,) = json.loads(text)
    assert (row["tempo"], row["unit"]) == (192, "seconds")
    assert "note-C4_half" in [symbol["token"] for symbol in row["symbols"]]  # a quarter note at 96
    code, _, err = run("transcribe", tune, "--model", listener, "--tempo", 2, capsys=capsys)
    assert code == 1
    assert "the tempo must be 20 to 480" in err


NOISE = np.random.default_rng(0).normal(0, 0.3, 2 * RATE).astype(np.float32)
BAD = {
    "silent.wav": (encoded(np.zeros(RATE, np.float32)), "no music in .*silent.wav: it is silent"),
    "hush.flac": (encoded(np.full(RATE, 2e-5, np.float32), format="FLAC"), "no music in .*: it is silent"),
    "empty.wav": (b"", "the file is empty"),
    "text.wav": (b"clef-G2 note-C4_quarter\n", "a text, not a recording"),
    "half.wav": (encoded(NOISE)[:30000], "cut off or damaged"),
    "noise.mp3": (np.random.default_rng(0).bytes(3000), "not a recording"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_recordings_are_one_sentence(
    name: str, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, message = BAD[name]
    (tmp_path / name).write_bytes(data)
    code, out, err = run("transcribe", tmp_path / name, "--model", listener, "-o", tmp_path / "out", capsys=capsys)
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert name in err
    with pytest.raises(ValueError, match=message):
        transcribe(tmp_path / name, listener)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sound", [NOISE, np.clip(play(TUNE, 96) * 50, -1, 1), NOISE[:300], play(TUNE, 96)[:2000]])
def test_odd_sounds_are_read_or_refused(sound: np.ndarray, listener: str) -> None:
    for loaded in (tiny(["audio"]), tiny(["audio"], "note-C4_quarter")):
        try:
            assert transcribe(sound, loaded).tokens
        except ValueError as error:
            assert str(error).startswith("no music in sound: ")  # noqa: PT017


def test_pictures_and_recordings_in_one_list(
    trained: None, listener: str, tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "staff.png").write_bytes(GOLDEN.read_bytes())
    (folder / "staff.wav").write_bytes(tune.read_bytes())
    (folder / "notes.txt").write_text("neither")
    out = tmp_path / "out"
    arguments = ("transcribe", folder, "--model", listener, "--format", "semantic", "-o", out)
    code, text, err = run(*arguments, capsys=capsys)
    assert (code, err) == (0, "")
    assert len(text.strip().splitlines()) == 2
    assert {path.name for path in out.iterdir()} == {"staff.semantic", "staff.wav.semantic"}
    assert split_tokens((out / "staff.semantic").read_text()) == REFERENCE
    assert split_tokens((out / "staff.wav.semantic").read_text()) == TUNE.split()


def recorded(path: Path, wrong: dict[int, str]) -> Path:
    """The golden staff as an ear may play it back: without what no ear knows, and with other tokens in places."""
    tokens = [wrong.get(place, token) for place, token in enumerate(REFERENCE)]
    path.write_bytes(encoded(play(" ".join(tokens), 100)))
    return path


def test_a_picture_and_a_recording_fused(
    trained: None, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = recorded(tmp_path / "sound.wav", {})
    out = tmp_path / "out"
    arguments = ("transcribe", "--fuse", sound, GOLDEN, "--model", listener, "--format", "semantic", "-o", out)
    code, text, err = run(*arguments, capsys=capsys)
    assert (code, err) == (0, "")
    assert text.startswith(f"{GOLDEN} + {sound}: ")
    assert [path.name for path in out.iterdir()] == [f"{GOLDEN.stem}.semantic"]
    fused = split_tokens((out / f"{GOLDEN.stem}.semantic").read_text())
    assert [token for token in fused if token.startswith(("clef", "keySignature"))] == REFERENCE[:2]
    both = transcribe_pair([GOLDEN, sound], listener)
    assert list(both.tokens) == fused
    assert both.tempo is not None
    assert both.heard is not None
    rows = both.as_dict()["symbols"]
    assert len(rows) == len(fused)
    assert any(row["span"] and row["heard"] for row in rows)
    assert all(row["span"] or row["heard"] for row in rows)


def test_wrong_pairs(tune: Path, listener: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for files, given in (
        ([GOLDEN, GOLDEN], "a picture and a picture"),
        ([tune], "a recording"),
        ([GOLDEN, tune, tune], "a picture and a recording and a recording"),
        ([tmp_path / "nothing_here"], "a picture"),
    ):
        code, _, err = run("transcribe", "--fuse", *files, capsys=capsys)
        assert code == 1
        assert err == f"hfmusic: one picture and one recording are needed to fuse, got {given}\n"


def test_a_model_of_the_other_kind(tune: Path, listener: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("transcribe", GOLDEN, "--model", listener, capsys=capsys)
    assert code == 1
    assert err == "hfmusic: the model takes audio, what was given is a picture\n"
    with pytest.raises(ValueError, match="the model takes image, what was given is a recording"):
        transcribe(tune, "crnn-omr")
    with pytest.raises(ValueError, match="this model takes image, not recordings"):
        hfmusic.hearing.ear.Ear(tiny(["image"]))


def test_one_model_for_both_kinds(tune: Path) -> None:
    both = tiny(["image", "audio"], "note-C4_quarter")
    models = Models(both, ["image", "audio"])
    assert models.of("image") is models.of("audio") is both
    assert transcribe(tune, both).tokens == transcribe(GOLDEN, both).tokens == ("note-C4_quarter",)
    fused = transcribe_pair([GOLDEN, tune], both)
    assert fused.tokens == ("note-C4_quarter",)
    assert fused.spans[0] is not None


def test_several_models_each_for_its_kind() -> None:
    eye, ear = tiny(["image"]), tiny(["audio"])
    models = Models([ear, eye], ["image", "audio"])
    assert models.of("image") is eye
    assert models.of("audio") is ear


def test_kinds_and_folders(tmp_path: Path, tune: Path) -> None:
    assert kind_of(GOLDEN) == "image"
    assert kind_of(tune) == "audio"
    disguised = tmp_path / "staff.wav"
    disguised.write_bytes(GOLDEN.read_bytes())
    assert kind_of(disguised) == "image"
    assert kind_of(tmp_path / "missing.MP3") == "audio"
    assert kind_of(tmp_path / "missing") == "image"
    names = [path.name for path in expand([tmp_path, GOLDEN])]
    assert names == ["staff.wav", "tune.wav", GOLDEN.name]


def test_an_unknown_format_is_told_before_anything_is_read(tune: Path) -> None:
    with pytest.raises(ValueError, match="format must be one of semantic"):
        next(transcribe_files([tune], formats=["docx"]))


@pytest.fixture(scope="session")
def shipped() -> Loaded:
    return load("crnn-amt")


@pytest.mark.parametrize("tempo", [92, 120])
def test_the_shipped_model_hears_a_piano(shipped: Loaded, tempo: int) -> None:
    with Synthesizer(shipped_font()) as synthesizer:
        sound = synthesizer.play(write_midi(read_semantic(TUNE), tempo))
    found = transcribe(sound, shipped)
    assert found.tempo == pytest.approx(tempo, rel=0.04)
    heard = [note.pitch.midi for note in found.score.notes]
    played = [note.pitch.midi for note in read_semantic(TUNE).notes]
    assert edit_distance(played, heard) <= 2
    assert found.spans[-1] is not None
    assert found.spans[-1][1] <= len(sound) / RATE + 0.1


def test_the_shipped_models_fuse(shipped: Loaded, tmp_path: Path) -> None:
    with Synthesizer(shipped_font()) as synthesizer:
        sound = synthesizer.play(write_midi(read_semantic(REFERENCE), 104))
    (tmp_path / "sound.flac").write_bytes(encoded(sound, format="FLAC"))
    fused = transcribe_pair([tmp_path / "sound.flac", GOLDEN])
    assert edit_distance(REFERENCE, fused.tokens) <= 1
    assert fused.tempo == pytest.approx(104, rel=0.04)
