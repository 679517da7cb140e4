"""Recordings of every kind a user may hand over, and what is none."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from PIL import Image

from hfmusic.models import audio_reading
from hfmusic.models.audio_reading import Sound, is_sound, open_sound

RATE = 22050


def sine(seconds: float = 1.0, rate: int = RATE, pitch: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(sound: np.ndarray, rate: int = RATE, format: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    sf.write(file, sound, rate, format=format, subtype=subtype)
    return file.getvalue()


def pitch_of(sound: np.ndarray) -> float:
    """Hz of the strongest partial."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * RATE / len(sound))


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 1e-7),
        ("WAV", "ULAW", 0.02),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
        ("AIFF", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
    ],
)
def test_formats_that_keep_the_samples(format: str, subtype: str, tolerance: float) -> None:
    sound = sine()
    read = open_sound(encoded(sound, format=format, subtype=subtype))
    assert read.dtype == np.float32
    assert read.shape == sound.shape
    assert np.abs(read - sound).max() <= tolerance


@pytest.mark.parametrize("format", ["OGG", "MP3"])
def test_formats_that_lose_some(format: str) -> None:
    read = open_sound(encoded(sine(), format=format))
    assert abs(len(read) - RATE) < 3000
    assert abs(pitch_of(read) - 440) < 2
    assert 0.4 < np.abs(read).max() < 0.6


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000, 192000])
def test_any_rate(rate: int) -> None:
    read = open_sound(encoded(sine(1.0, rate), rate))
    assert abs(len(read) - RATE) <= 1
    assert np.abs(read - sine()[: len(read)])[500:-500].max() < 0.01


def test_channels_are_averaged() -> None:
    left, right = sine(), sine(pitch=660)
    assert np.allclose(open_sound(encoded(np.stack([left, right], axis=1))), (left + right) / 2, atol=1e-4)
    assert np.allclose(open_sound(encoded(np.stack([left] * 6, axis=1))), left, atol=1e-4)


def test_another_wanted_rate() -> None:
    with Sound(encoded(sine(2.0)), sampling_rate=16000) as sound:
        assert sound.seconds == 2.0
        assert len(sound.window()) == 32000


def test_clipped_and_louder_than_full_scale() -> None:
    assert np.abs(open_sound(encoded(np.clip(sine() * 10, -1, 1)))).max() <= 1
    assert np.abs(open_sound(encoded(sine() * 10, subtype="FLOAT"))).max() == 1
    assert open_sound(encoded(np.zeros(100, np.float32))).tolist() == [0.0] * 100


@pytest.mark.parametrize("rate", [22050, 44100, 11111])
@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_windows_are_parts_of_the_whole(rate: int, format: str, tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, rate * 3).astype(np.float32)
    path = tmp_path / "noise"
    path.write_bytes(encoded(sound, rate, format))
    whole = open_sound(path)
    with Sound(path) as reader:
        for start, end in [(0.0, 0.5), (1.234, 2.345), (2.9, 9.0), (1.5, 1.5)]:
            window = reader.window(start, end)
            first = round(start * RATE)
            assert len(window) == round(min(end, reader.seconds) * RATE) - first
            assert np.allclose(window, whole[first : first + len(window)], atol=1e-5)
        with pytest.raises(ValueError, match="must not end before it starts, got 2 to 1"):
            reader.window(2, 1)


def test_arrays() -> None:
    with Sound(sine(1.0, 44100), array_rate=44100, name="mine") as sound:
        assert sound.seconds == 1.0
        assert abs(pitch_of(sound.window()) - 440) < 2
    with pytest.raises(
        ValueError, match=r"mine: a sound must be floats of shape \(n,\), got float32 of shape \(2, 2\)"
    ):
        Sound(np.zeros((2, 2), np.float32), name="mine")
    with pytest.raises(ValueError, match="hold.* values that are no numbers"):
        Sound(np.array([np.nan], np.float32))
    with pytest.raises(ValueError, match="rate must be positive, got -1"):
        Sound(sine(), array_rate=-1)


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 40)).save(file, format)
    return file.getvalue()


BAD = {
    "empty.wav": (b"", "the file is empty"),
    "text.wav": ("clef-G2 ♪ note-C4_quarter\n".encode() * 300, "a text, not a recording"),
    "picture.wav": (picture("PNG"), "a picture, not a recording"),
    "photo.mp3": (picture("JPEG"), "a picture, not a recording"),
    "webp.flac": (picture("WEBP"), "a picture, not a recording"),
    "score.wav": (b"%PDF-1.7 ...", "a PDF, not a recording"),
    "score.mid": (b"MThd\0\0\0\6\0\0\0\1\1\0", "a MIDI file, not a recording"),
    "noise.wav": (np.random.default_rng(0).bytes(5000), "not a recording, or one that is damaged"),
    "header.wav": (encoded(sine())[:40], "cut off or damaged"),
    "no_frames.wav": (encoded(sine()[:0]), "holds no sound, 0 samples"),
    "half.wav": (encoded(sine())[:20000], "cut off or damaged"),
    "half.aiff": (encoded(sine(), format="AIFF")[:20000], "cut off or damaged"),
    "half.flac": (encoded(sine(5), format="FLAC")[:20000], "cut off or damaged"),
    "start.flac": (encoded(sine(5), format="FLAC")[:200], "cut off or damaged"),
    "half.mp3": (encoded(sine(9), format="MP3")[:9000], "cut off or damaged"),
    "nan.wav": (encoded(np.full(100, np.nan, np.float32), subtype="FLOAT"), "values that are no numbers"),
    "name.raw": (b"\xfe" * 100, "not a recording"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_sound_is_one_sentence(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as from_file:
        open_sound(path)
    assert str(from_file.value).startswith(str(path))
    with pytest.raises(ValueError, match=f"^given: .*{message}"):
        open_sound(data, name="given")
    assert capfd.readouterr().err == ""


def test_damage_inside_is_told_when_it_is_reached(tmp_path: Path) -> None:
    data = bytearray(encoded(np.random.default_rng(0).normal(0, 0.1, RATE * 5).astype(np.float32), format="FLAC"))
    data[len(data) // 2 : len(data) // 2 + 20000] = b"\xff" * 20000
    with pytest.raises(ValueError, match="cut off or damaged"):
        open_sound(bytes(data))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none.wav: no such file"):
        open_sound(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="a folder, not a recording"):
        open_sound(tmp_path)


def test_a_file_of_a_pipe_has_no_length() -> None:
    data = bytearray(encoded(sine()))
    place = data.index(b"data") + 4
    data[place : place + 4] = b"\xff\xff\xff\xff"
    assert len(open_sound(bytes(data))) == RATE


@pytest.fixture
def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name: copies a recording to where ffmpeg would write; it fails on files that end in `bad`."""
    (tmp_path / "sound.wav").write_bytes(encoded(sine()))
    program = tmp_path / "ffmpeg"
    lines = ["#!/bin/sh", 'for last; do :; done; case "$*" in *bad*) exit 1;; esac', f'cp {tmp_path}/sound.wav "$last"']
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


M4A = b"\0\0\0\x1cftypM4A \0\0\2\0" + bytes(range(200, 256)) * 20


def test_other_containers_go_through_ffmpeg(fake_ffmpeg: Path) -> None:
    path = fake_ffmpeg / "song.m4a"
    path.write_bytes(M4A)
    assert is_sound(path)
    with Sound(path) as sound:
        assert sound.seconds == 1.0
        folder = Path(sound._temporary.name)  # type: ignore[union-attr]
        assert folder.is_dir()
    assert not folder.exists()
    assert len(open_sound(M4A)) == RATE
    bad = fake_ffmpeg / "song.bad"
    bad.write_bytes(M4A)
    with pytest.raises(ValueError, match="song.bad: not a recording, or one that is damaged"):
        open_sound(bad)


def test_without_ffmpeg_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_reading.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="for m4a, webm and others install the ffmpeg program"):
        open_sound(M4A, name="song.m4a")


def test_the_real_ffmpeg_where_it_is_installed(tmp_path: Path) -> None:
    program = shutil.which("ffmpeg")
    plain, packed = tmp_path / "plain.wav", tmp_path / "packed.m4a"
    plain.write_bytes(encoded(sine(2.0)))
    if program:
        subprocess.run([program, "-v", "error", "-i", plain, packed], check=True)
    read = open_sound(packed if program else plain)
    assert abs(len(read) - 2 * RATE) < 3000
    assert abs(pitch_of(read) - 440) < 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(sine(0.1)), True),
        (encoded(sine(0.1), format="FLAC"), True),
        (encoded(sine(0.1), format="OGG"), True),
        (encoded(sine(0.1), format="MP3"), True),
        (encoded(sine(0.1), format="AIFF"), True),
        (picture("PNG"), False),
        (picture("WEBP"), False),
        (b"some text", None),
        (b"", None),
    ],
)
def test_content_tells_the_kind(data: bytes, expected: bool | None, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    assert is_sound(tmp_path / "file") is expected
    assert is_sound(tmp_path / "none") is None


def test_a_long_recording_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with sf.SoundFile(path, "w", 44100, 2, "PCM_U8") as file:
        for _ in range(60):
            file.write(np.zeros((44100 * 5, 2), np.float32))
    tracemalloc.start()
    with Sound(path) as sound:
        assert sound.seconds == 300
        assert len(sound.window(150, 170)) == 20 * RATE
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # the file decoded would be 106 MB
