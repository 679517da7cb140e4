"""Recordings of many voices: all their formats, kinds of files, parts, instruments, and one voice or many."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mido
import music21
import numpy as np
import pytest
import soundfile as sf
from PIL import Image

import hfmusic
import hfmusic.inputs
from hfmusic.hearing.polyphonic import Listening, has_many_voices, hear_notes, seconds_of, sounds_together
from hfmusic.hearing.written import played
from hfmusic.hub import Loaded
from hfmusic.inputs import Models, expand, kind_of, roles_of
from hfmusic.symbolic.performance import PerformedNote, read_notes_csv, read_performance
from hfmusic.transcribe import PolyphonicTranscription, Transcription, transcribe, transcribe_files

from .test_cli import run
from .test_transcribe_audio import BAD, tiny

RATE = 16000
CHORDS = [
    PerformedNote(beat / 2 + 0.25, beat / 2 + 0.7, pitch, 60 + 5 * voice)
    for beat in range(6)
    for voice, pitch in enumerate((40 + beat, 64 + beat, 95))
]
TUNE = [PerformedNote(beat / 2 + 0.25, beat / 2 + 0.8, 60 + beat) for beat in range(6)]


class Hearer:
    """A transcriber's processor that knows what it hears; keeps what it was asked."""

    modalities, sampling_rate = ("audio",), RATE

    def __init__(self, notes: list[PerformedNote]) -> None:
        self.notes = notes
        self.asked: dict[str, Any] = {}
        self.samples = np.zeros(0)

    def transcribe(
        self, model: Any, sound: np.ndarray, *, progress: Any = None, **overrides: Any
    ) -> list[PerformedNote]:
        self.asked, self.samples = overrides, sound
        for part in (0.5, 1.0):
            progress(part)
        return self.notes


def hearer(notes: list[PerformedNote] = CHORDS) -> Loaded:
    return Loaded(SimpleNamespace(), Hearer(notes))  # type: ignore[arg-type]


def recording(path: Path, seconds: float = 4.0, rate: int = RATE, channels: int = 1) -> Path:
    """Chords that can be heard."""
    times = np.arange(round(seconds * rate)) / rate
    sound = sum(np.sin(2 * np.pi * hertz * times) for hertz in (220, 277.2, 329.6)) * 0.1
    sf.write(path, np.stack([sound] * channels, axis=1), rate)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return recording(tmp_path / "song.wav")


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> dict[str, Loaded]:
    """Both models for recordings come with hfmusic: a transcriber, and one that hears middle C in everything."""
    models = {"unet-transcriber": hearer(), "crnn-amt": tiny(["audio"], "note-C4_quarter")}
    monkeypatch.setattr(hfmusic.inputs, "load", lambda name: models[name])
    monkeypatch.setattr(hfmusic.inputs, "shipped_models", lambda: sorted(models))
    return models


def test_all_formats(
    shipped: dict[str, Loaded], song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, text, err = run("transcribe", song, "--format", "all", "-o", out, capsys=capsys)
    assert (code, err) == (0, "")
    names = "song.musicxml, song.mid, song.csv, song.roll.png, song.transcribed.wav"
    assert text == f"{song}: 18 notes in 4.0 s, many voices (a melody: --voices one) -> {names}\n"
    assert {path.name for path in out.iterdir()} == set(names.split(", "))
    notes = read_notes_csv((out / "song.csv").read_text())
    assert notes == [pytest.approx(note) for note in sorted(CHORDS, key=lambda note: (note[0], note[2]))]
    assert [note[2:] for note in read_performance((out / "song.mid").read_bytes())] == [note[2:] for note in notes]
    assert mido.MidiFile(out / "song.mid").length == pytest.approx(4.0, abs=0.01)
    sound, rate = sf.read(out / "song.transcribed.wav")
    assert len(sound) / rate == pytest.approx(4.0, abs=1e-4)
    assert 0.5 < np.abs(sound).max() <= 0.9 + 1e-3
    assert Image.open(out / "song.roll.png").width > 600
    score = music21.converter.parse(out / "song.musicxml")
    assert len(score.parts) == 2
    assert sorted(p.midi for p in score.flatten().pitches if p.midi >= 60)[0] == 64
    again = run("transcribe", song, "--format", "all", "-o", out, capsys=capsys)
    assert again[0] == 0  # its own picture may be overwritten


def test_default_formats_and_json(
    shipped: dict[str, Loaded], song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = run("transcribe", song, "--json", "-o", tmp_path, capsys=capsys)
    assert code == 0
    (row,) = json.loads(text)
    assert [Path(name).name for name in row["files"]] == ["song.musicxml", "song.mid"]
    assert row["voices"] == "many"
    assert row["notes"][0] == {"onset_seconds": 0.25, "offset_seconds": 0.7, "pitch_midi": 40, "velocity": 60}


def test_a_melody_is_read_as_one(shipped: dict[str, Loaded], song: Path) -> None:
    shipped["unet-transcriber"].processor.notes = TUNE
    found = transcribe(song)
    assert isinstance(found, Transcription)
    assert found.choice == "one voice (all that sounds: --voices many)"
    assert found.summary().endswith(found.choice)
    assert isinstance(transcribe(song, voices="many"), PolyphonicTranscription)
    shipped["unet-transcriber"].processor.notes = CHORDS
    assert isinstance(transcribe(song), PolyphonicTranscription)
    assert isinstance(transcribe(song, voices="one"), Transcription)


def test_what_no_melody_can_be_made_of_are_notes(shipped: dict[str, Loaded], song: Path) -> None:
    shipped["unet-transcriber"].processor.notes = TUNE
    shipped["crnn-amt"] = tiny(["audio"], "rest-quarter")
    found = transcribe(song)
    assert isinstance(found, PolyphonicTranscription)
    assert found.choice == "all notes, as no melody was heard"
    shipped["unet-transcriber"].processor.notes = []
    with pytest.raises(ValueError, match="no music in .*song.wav: no note was heard"):
        transcribe(song)


def test_formats_tell_what_to_listen_to(shipped: dict[str, Loaded], song: Path, tmp_path: Path) -> None:
    shipped["unet-transcriber"].processor.notes = TUNE
    for format, kind in (("csv", PolyphonicTranscription), ("semantic", Transcription)):
        ((_, found, _),) = transcribe_files([song], formats=[format], out=tmp_path)
        assert isinstance(found, kind)
    ((_, wrong, _),) = transcribe_files([song], formats=["mei"], out=tmp_path, voices="many")
    assert "not as mei" in str(wrong)
    ((_, wrong, _),) = transcribe_files([song], formats=["csv"], out=tmp_path, voices="one")
    assert "a melody" in str(wrong)
    with pytest.raises(ValueError, match="format must be one of .*, csv, roll, sound, all, got 'pdf'"):
        next(transcribe_files([song], formats=["pdf"]))


def test_without_a_transcriber_all_is_as_it_was(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hfmusic.inputs, "shipped_models", lambda: ["crnn-amt", "crnn-omr"])
    found = transcribe(song, tiny(["audio"], "note-C4_quarter"))
    assert isinstance(found, Transcription)
    assert not found.choice
    assert not Models(None, ["audio"]).offers("notes")


def test_chosen_models(song: Path) -> None:
    melody, notes = tiny(["audio"], "note-C4_quarter"), hearer()
    assert (roles_of(melody), roles_of(notes)) == (("audio",), ("notes",))
    assert isinstance(transcribe(song, notes), PolyphonicTranscription)
    assert isinstance(transcribe(song, melody), Transcription)
    assert isinstance(transcribe(song, [melody, notes]), PolyphonicTranscription)
    assert isinstance(transcribe(song, [melody, notes], voices="one"), Transcription)
    with pytest.raises(ValueError, match="the model hears one voice, voices are to be many"):
        transcribe(song, melody, voices="many")
    with pytest.raises(ValueError, match="the model hears many voices, voices are to be one"):
        transcribe(song, notes, voices="one")


def test_the_model_for_pianos(shipped: dict[str, Loaded], song: Path) -> None:
    assert Models(None, ["audio"], piano=True).of("notes") is shipped["unet-transcriber"]
    shipped["unet-transcriber-piano"] = hearer([PerformedNote(0, 1, 60), PerformedNote(0, 1, 64)])
    for instrument, count in (("piano", 2), ("0", 2), ("violin", 12), (None, 18)):
        found = transcribe(song, instrument=instrument, voices="many")
        assert isinstance(found, PolyphonicTranscription)
        assert len(found.notes) == count


def test_a_part_of_a_recording(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = hearer([PerformedNote(0.5, 9, 60), PerformedNote(1.2, 2, 64)])
    found = transcribe(song, model, start=2.0, end=3.0)
    assert isinstance(found, PolyphonicTranscription)
    assert (found.start_seconds, found.seconds) == (2.0, 1.0)
    assert len(model.processor.samples) == RATE
    assert found.notes == (PerformedNote(2.5, 3.0, 60),)
    assert read_performance(found.to("midi"))[0][:2] == pytest.approx((0.5, 1.0))  # type: ignore[arg-type]
    assert len(sf.read(io.BytesIO(found.to("sound")))[0]) == 22050  # type: ignore[arg-type]
    assert Image.open(io.BytesIO(found.to("roll"))).width > 500  # type: ignore[arg-type]
    one = transcribe(song, tiny(["audio"], "note-C4_quarter"), start=2.0)
    assert isinstance(one, Transcription)
    assert one.spans[0] is not None and 1.9 < one.spans[0][0] < 2.5
    with pytest.raises(ValueError, match="the recording lasts 4.0 s, asked for from 9.0 s on"):
        transcribe(song, model, start=9.0)
    for arguments, message in ((("--from", "1:xx"), "a time is seconds"), (("--from", "3", "--to", "2"), "ends after")):
        code, _, err = run("transcribe", song, *arguments, capsys=capsys)
        assert code == 1 and message in err


def test_times() -> None:
    assert [seconds_of(text) for text in ("0", "90.5", "1:30", "1:00:00")] == [0, 90.5, 90, 3600]
    for wrong in ("", "-1", "1:75", "1:2:3:4", "a", "1e3"):
        with pytest.raises(ValueError, match="a time is seconds"):
            seconds_of(wrong)


def test_thresholds_and_instruments(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = hearer()
    found = transcribe(song, model, instrument="guitar", onset_threshold=0.4, minimum_seconds=0.05)
    assert isinstance(found, PolyphonicTranscription)
    assert model.processor.asked == {"onset_threshold": 0.4, "minimum_seconds": 0.05}
    assert {note.pitch_midi for note in found.notes} <= set(range(40, 89))
    assert (len(found.notes), found.program) == (12, 24)
    programs = [m.program for m in mido.MidiFile(file=io.BytesIO(found.to("midi"))) if m.type == "program_change"]  # type: ignore[arg-type]
    assert programs == [24]
    xml = found.to("musicxml")
    assert isinstance(xml, str) and "<clef-octave-change>-1</clef-octave-change>" in xml and "Guitar" in xml
    with pytest.raises(ValueError, match="no instrument 'kazoo'"):
        transcribe(song, model, instrument="kazoo")
    with pytest.raises(ValueError, match="voices must be one of one, many, auto, got 'few'"):
        Listening(voices="few")  # type: ignore[arg-type]


def test_tempo_and_its_map(song: Path) -> None:
    notes = [PerformedNote(0.2 + n * 0.6, 0.7 + n * 0.6, 60 + n % 5) for n in range(16)]
    even = transcribe(song, hearer(notes[:6]), tempo=100)
    mapped = transcribe(song, hearer(notes[:6]), tempo_map=True)
    assert isinstance(even, PolyphonicTranscription) and isinstance(mapped, PolyphonicTranscription)
    assert even.tempo == 100
    assert "<per-minute>100</per-minute>" in str(even.to("musicxml"))
    for one in (even, mapped):
        found = [note[:2] for note in read_performance(one.to("midi"))]  # type: ignore[arg-type]
        assert found == [pytest.approx(note[:2], abs=2e-3) for note in one.notes]
    signs = mido.MidiFile(file=io.BytesIO(mapped.to("midi"))).tracks[0]  # type: ignore[arg-type]
    assert [message.type for message in signs].count("time_signature") == 1


@pytest.mark.parametrize("name", [name for name in BAD if name != "noise.mp3"])
def test_bad_recordings(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        transcribe(tmp_path / name, hearer())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ["-ar", "8000", "-ac", "1"]),
        ("a.ogg", ["-ar", "48000", "-ac", "2"]),
        ("a.m4a", ["-ar", "44100", "-ac", "2"]),
        ("a.flac", ["-ar", "192000", "-ac", "1"]),
        ("a.wav", ["-ar", "96000", "-ac", "8"]),
        ("a.mkv", ["-f", "lavfi", "-i", "color=s=64x64:d=4", "-c:a", "aac"]),
        ("a.avi", ["-c:a", "pcm_s16le"]),
        ("a.mp4", ["-f", "lavfi", "-i", "color=s=64x64:d=4", "-c:a", "aac"]),
    ],
)
def test_every_kind_of_file(name: str, options: list[str], song: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    videos = options[:4] if "-i" in options else []
    command = [str(shutil.which("ffmpeg")), "-v", "error", "-i", str(song), *videos, *options[len(videos) :], str(path)]
    subprocess.run(command, check=True)
    assert kind_of(path) == "audio"
    model = hearer()
    found = transcribe(path, model)
    assert isinstance(found, PolyphonicTranscription)
    assert found.seconds == pytest.approx(4, abs=0.15)
    spectrum = np.abs(np.fft.rfft(model.processor.samples[:RATE] * np.hanning(RATE)))
    assert {int(hertz) for hertz in np.argsort(spectrum)[-9:]} & {219, 220, 221}


def test_what_was_written_is_not_read_with_its_folder(tmp_path: Path) -> None:
    for name in ("song.wav", "song.roll.png", "song.transcribed.wav", "film.mkv"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in expand([tmp_path])] == ["film.mkv", "song.wav"]


def test_sounding_together() -> None:
    assert not has_many_voices([])
    assert not has_many_voices(TUNE)
    assert has_many_voices(CHORDS)
    ringing = [PerformedNote(n, n + 3, 60 + n) for n in range(8)]
    assert sounds_together(ringing) > 0.5
    assert sounds_together([PerformedNote(0, 0, 60)]) == 0


def test_long_music_is_played_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [PerformedNote(at, at + 0.5, 69, 90) for at in np.arange(0.0, 6.0, 0.75)]
    whole = played(notes, 6.0)
    monkeypatch.setattr("hfmusic.hearing.written._PIECE_SECONDS", 2.0)
    pieces = played(notes, 6.0)
    assert len(whole) == len(pieces) == 6 * 22050
    loud, alike = (np.square(one.reshape(-1, 2205)).mean(axis=1) for one in (whole, pieces))
    assert np.corrcoef(loud, alike)[0, 1] > 0.95
    assert not played([], 1.0).any()


def test_arrays_and_odd_notes() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 44100).astype(np.float32)
    odd = [PerformedNote(1, 0.5, 60, 300), PerformedNote(0.1, 0.2, 62, 0), PerformedNote(7, 8, 64)]
    found = hear_notes(sound, hearer(odd), Listening(), sampling_rate=44100)
    assert [(note.pitch_midi, note.velocity) for note in found.notes] == [(62, 1)]  # others begin at the end, or after
    assert found.source == "sound"
    for format in ("midi", "musicxml", "csv", "roll", "sound"):
        assert found.to(format)


def test_a_transcriber_with_its_network(song: Path, tmp_path: Path) -> None:
    """An untrained network may hear anything; what it hears can be written."""
    from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
    from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
    from hfmusic.models.processing_unet_transcriber import TranscriberProcessor

    config = UNetTranscriberConfig.recommended()
    folder = tmp_path / "model"
    UNetTranscriber(config).save_pretrained(folder)
    TranscriberProcessor.for_config(config).save_pretrained(folder)
    options = {"onset_threshold": 0.01, "frame_threshold": 0.01, "minimum_seconds": 0.0}
    try:
        found = hfmusic.transcribe(song, str(folder), end=2.0, **options)
    except ValueError as error:
        assert "no note was heard" in str(error)  # noqa: PT017
    else:
        assert isinstance(found, PolyphonicTranscription)
        assert found.to("midi")
