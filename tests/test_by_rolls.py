"""`hfmusic index --rolls`, `transcribe --by` and `evaluate --by`, and decoding with a model that knows the roll."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import hfmusic
from hfmusic.by_rolls import transcriber_by
from hfmusic.hearing.by_decoding import DecodingTranscriber
from hfmusic.hearing.polyphonic import PolyphonicTranscription
from hfmusic.hearing.roll_space import ModelSpace, on_grid
from hfmusic.metrics.notes import note_scores
from hfmusic.models.configuration_audio_roll_decoder import MAPS, RollDecoderConfig
from hfmusic.models.modeling_audio_roll_decoder import RollDecoder
from hfmusic.models.processing_audio_roll import AudioRollProcessor
from hfmusic.roll_index import index_rolls
from hfmusic.symbolic.performance import read_performance, write_performance
from hfmusic.transcribe import transcribe

from .hearing.test_by_retrieval import RATE, music, on_steps, played
from .models.test_audio_roll_decoder import TINY
from .test_cli import run

NOTES = music(7, beats=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two MIDI files in midi/, and a recording of the second with its notes, in the layout of MAPS, in tunes/."""
    folder = tmp_path_factory.mktemp("rolls")
    (folder / "midi").mkdir()
    (folder / "tunes").mkdir()
    for name, notes in (("other", music(6, beats=10)), ("own", NOTES)):
        (folder / "midi" / f"{name}.mid").write_bytes(write_performance(notes))
    soundfile.write(folder / "tunes" / "own.wav", played(NOTES, 5.5), RATE)
    table = "".join("\t".join(map(str, note)) + "\n" for note in NOTES)
    (folder / "tunes" / "own.tsv").write_text("# onset,offset,note,velocity\n" + table)
    return folder


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained decoder that hears every key begin at once."""
    torch.manual_seed(0)
    folder, model = tmp_path_factory.mktemp("decoder") / "model", RollDecoder(RollDecoderConfig(**TINY))
    with torch.no_grad():
        model.decoder.head.weight.zero_()
        model.decoder.head.bias.fill_(2.0)
    model.save_pretrained(folder)
    AudioRollProcessor.for_config(model.config).save_pretrained(folder)
    return folder


def test_the_command_line_indexes_transcribes_and_measures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, sound = tmp_path / "rolls.index", folder / "tunes" / "own.wav"
    code, out, _ = run("index", folder / "midi", "--rolls", "--model", "keys", "--out", index, "--json", capsys=capsys)
    assert code == 0 and json.loads(out)["pieces"] == 2
    asked = ("--by", "retrieval", "--index", index)
    code, out, _ = run("transcribe", sound, *asked, "--format", "midi,csv", "-o", tmp_path, capsys=capsys)
    assert code == 0 and "notes in 5.5 s" in out
    found = read_performance((tmp_path / "own.mid").read_bytes())
    assert note_scores(NOTES, found)["note_f1"] > 0.8
    metrics = tmp_path / "metrics.json"
    code, out, _ = run("evaluate", "keys", folder / "tunes", *asked, "--out", metrics, capsys=capsys)
    row = next(row for row in json.loads(metrics.read_text()) if row["metric"] == "note_f1")
    assert code == 0 and row["value"] > 0.8
    assert (row["method"], row["model"]) == ("retrieval", "keys") and f"--by retrieval --index {index}" in row[
        "command"
    ]


def test_the_command_line_says_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = folder / "tunes" / "own.wav"
    code, _, err = run("transcribe", sound, "--by", "retrieval", capsys=capsys)
    assert code == 1 and "needs --index, which `hfmusic index MIDI --rolls` makes" in err
    assert run("transcribe", sound, "--index", "x", capsys=capsys)[0] == 2
    assert run("transcribe", sound, "--by", "decoding", "--model", "a", "--model", "b", capsys=capsys)[0] == 2
    code, _, err = run("transcribe", sound, "--by", "magic", capsys=capsys)
    assert code == 1 and "by retrieval or decoding, got 'magic'" in err
    with pytest.raises(ValueError, match="decoding looks nothing up"):
        transcriber_by("decoding", index="x")


def test_a_decoder_is_a_transcriber_of_many_voices(decoder: Path) -> None:
    heard = transcribe(played(NOTES, 5.5), transcriber_by("decoding", str(decoder), tempo=120), voices="many")
    assert isinstance(heard, PolyphonicTranscription)
    assert {note.pitch_midi for note in heard.notes} == set(range(21, 109))
    assert heard.to("midi")[:4] == b"MThd"
    with pytest.raises(ValueError, match="decodes no rolls"):
        DecodingTranscriber(SimpleNamespace(model=torch.nn.Linear(1, 1), processor=AudioRollProcessor()))
    rough = SimpleNamespace(model=SimpleNamespace(decoder=None), processor=AudioRollProcessor(steps_per_beat=12))
    with pytest.raises(ValueError, match="24 steps a beat are decoded, got 12"):
        DecodingTranscriber(rough)


class Knowing(AudioRollProcessor):
    """Its spectrogram is the roll: 1 where a key begins, 0.5 where it sounds, for 88 keys at 480 frames a second."""

    @property
    def frame_rate(self) -> float:
        return 480.0

    def spectrogram(self, sound: Any) -> np.ndarray:
        roll = np.zeros((round(480 * len(sound) / RATE) + 1, 128), np.float32)
        for note in NOTES:
            first, last = round(480 * note.onset_seconds), round(480 * note.offset_seconds)
            roll[first:last, note.pitch_midi] = 0.5
            roll[first : first + 10, note.pitch_midi] = 1
        return roll


def test_windows_that_are_decoded_rightly_are_joined_rightly() -> None:
    def model(features: torch.Tensor) -> SimpleNamespace:
        rolls = features[:, 0].transpose(1, 2)
        maps = dict(zip(MAPS, (rolls > 0.3, rolls > 0.8, torch.full_like(rolls, 0.5)), strict=True))
        return SimpleNamespace(probabilities=lambda: {name: one.float() for name, one in maps.items()})

    knowing: Any = model
    knowing.decoder, knowing.device = None, "cpu"
    loaded = SimpleNamespace(model=knowing, processor=Knowing(frames=24, beats=1))
    told: list[float] = []
    sound = played(NOTES, 5.5)
    found = DecodingTranscriber(loaded, tempo=120).transcribe(None, sound, progress=told.append)
    scores = note_scores(NOTES, found)
    assert scores["note_f1"] > 0.97 and scores["note_offset_f1"] > 0.9 and told[-1] == 1
    assert DecodingTranscriber(loaded, tempo=120).transcribe(None, sound, minimum_seconds=9) == []


def test_a_models_space_embeds_windows_and_indexes_them(decoder: Path, folder: Path, tmp_path: Path) -> None:
    loaded = hfmusic.load(str(decoder))
    space, grid = ModelSpace(loaded, "tiny"), np.arange(10 * 24 + 1) / 48
    piece, starts = on_grid(grid, on_steps(NOTES, grid)), np.arange(0, 200, 24)
    assert space.steps == 24 and space.fingerprint.endswith("-onsets")
    rolls = space.rolls(piece, starts)
    heard = space.listen(played(NOTES, 5.5))
    sounds = space.excerpts(heard, piece, np.append(starts, 900))
    assert np.allclose(np.linalg.norm(np.concatenate([rolls, sounds[:-1]]), axis=1), 1, atol=1e-5)
    assert not sounds[-1].any() and space.excerpts(heard, piece, starts[:0]).shape == (0, 16)
    assert index_rolls([folder / "midi"], out=tmp_path / "x.index", model=str(decoder))["pieces"] == 2
    notes = transcriber_by("retrieval", index=tmp_path / "x.index", tempo=120).processor
    assert isinstance(notes.transcribe(None, played(NOTES, 5.5)[: 2 * RATE]), list)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no space for audio and rolls"):
        ModelSpace(SimpleNamespace(model=None, processor=SimpleNamespace()), "other")
