"""Any recording a user may have to mono sound at one rate; long ones window by window.

numpy, soundfile and soxr only, and the `ffmpeg` program for what libsndfile does not know (m4a, webm, wma): this file
travels to the Hub with the models.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

BLOCK = 1 << 18  # frames decoded at a time: what bounds memory
_MARGIN_SECONDS = 0.1  # read before and after a window, for the resampler
_DECODER_SECONDS = 1800.0  # ffmpeg is stopped after this

# What a file that is no sound says it is, by how it begins.
_NOT_SOUNDS = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"BM", "a picture"),
    (b"II*\x00", "a picture"),
    (b"MM\x00*", "a picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"MThd", "a MIDI file"),
    (b"PAR1", "a Parquet file"),
)

_MP3 = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")
_MATROSKA, _WINDOWS_MEDIA = b"\x1aE\xdf\xa3", b"0&\xb2u"
_ADTS = (b"\xff\xf1", b"\xff\xf9")
_CONTAINERS = (
    *(b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd"),
    *(*_MP3, *_ADTS, _MATROSKA, _WINDOWS_MEDIA),
)


def open_sound(source: str | Path | bytes, *, sampling_rate: int = 22050, name: str = "") -> np.ndarray:
    """A whole recording, float32 (n,) in -1..1: the mean of its channels at `sampling_rate`.

    Args:
        source: a file, or its bytes: WAV, FLAC, OGG, MP3, AIFF and what else libsndfile reads, of any rate, depth and
            number of channels; other kinds where the ffmpeg program is installed. Float files above 1 are scaled.
        name: what messages call bytes.

    Raises:
        ValueError: missing, empty, no sound, or cut off; one sentence that names the file.
    """
    with Sound(source, sampling_rate=sampling_rate, name=name) as sound:
        whole = sound.window()
    peak = float(np.abs(whole).max(initial=0.0))
    return whole / np.float32(peak) if peak > 1 else whole


class Sound:
    """A recording that stays on disk: `window` gives any part of it. `open_sound` says what is read. A context manager.

    `seconds` is its length, `name` what messages call it. An array (n,) in -1..1 may stand for a file: its rate is
    `array_rate`.

    Raises:
        ValueError: see `open_sound`.
    """

    def __init__(
        self,
        source: str | Path | bytes | np.ndarray,
        *,
        sampling_rate: int = 22050,
        name: str = "",
        array_rate: int | None = None,
    ) -> None:
        self.sampling_rate = sampling_rate
        self._temporary: tempfile.TemporaryDirectory | None = None
        self._file: Any = None
        self._array: np.ndarray | None = None
        if isinstance(source, np.ndarray):
            self.name = name or "sound"
            self._array, self._rate = _checked_array(source, self.name), int(array_rate or sampling_rate)
            if self._rate <= 0:
                raise ValueError(f"{self.name}: the sampling rate must be positive, got {array_rate}")
            self._frames = len(self._array)
        else:
            self.name = name or ("sound" if isinstance(source, bytes) else str(source))
            self._open(source)
        self.seconds = self._frames / self._rate

    def _open(self, source: str | Path | bytes) -> None:
        sf = _soundfile()
        opened = _Bytes(source) if isinstance(source, bytes) else _existing(Path(source))
        head = source[:4096] if isinstance(source, bytes) else _head(Path(source))
        if not head:
            raise ValueError(f"{self.name}: the file is empty")
        if kind := _not_sound(head):
            raise ValueError(f"{self.name}: {kind}, not a recording")
        with _quiet(head):
            try:
                self._file = sf.SoundFile(opened)
            except (sf.LibsndfileError, TypeError, RuntimeError):  # TypeError: a name that ends in .raw
                self._file = sf.SoundFile(self._decoded(source, head))
            self._rate, self._frames = int(self._file.samplerate), int(self._file.frames)
            whole = self._frames == 0 or (_holds_all(opened, head) and self._last_frame_is_there())
        if not whole or not self._frames:
            self.close()
            wrong = "is cut off or damaged" if not whole else "holds no sound, 0 samples"
            raise ValueError(f"{self.name}: the recording {wrong}")

    def _decoded(self, source: str | Path | bytes, head: bytes) -> Path:
        """What libsndfile does not know, as a WAV file that ffmpeg wrote."""
        program = shutil.which("ffmpeg")
        if program is None:
            raise ValueError(
                f"{self.name}: not a recording that can be read: WAV, FLAC, OGG, MP3 and AIFF are; for m4a, webm and "
                "others install the ffmpeg program"
            )
        self._temporary = tempfile.TemporaryDirectory(prefix="hfmusic-")
        folder = Path(self._temporary.name)
        given, wanted = Path(source) if not isinstance(source, bytes) else folder / "given", folder / "sound.wav"
        if isinstance(source, bytes):
            given.write_bytes(source)
        command = [program, "-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i", f"file:{given.resolve()}"]
        command += ["-map", "0:a:0", "-ac", "1", "-c:a", "pcm_s16le", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_DECODER_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        if done is None or done.returncode or not wanted.is_file():
            self.close()
            known = head.startswith(_CONTAINERS)
            wrong = "the recording is cut off or damaged" if known else "not a recording, or one that is damaged"
            raise ValueError(f"{self.name}: {wrong}")
        return wanted

    def _last_frame_is_there(self) -> bool:
        try:
            self._file.seek(self._frames - 1)
            return len(self._file.read(1, dtype="float32", always_2d=True)) == 1
        except (RuntimeError, ValueError):
            return False

    def window(self, start: float = 0.0, end: float | None = None) -> np.ndarray:
        """float32 (n,) mono from `start` to `end` seconds (default: all), as far as the recording goes.

        Raises:
            ValueError: `end` before `start`, or a part that cannot be decoded.
        """
        end = self.seconds if end is None else min(end, self.seconds)
        start = max(0.0, start)
        if start > end:
            raise ValueError(f"{self.name}: a window must not end before it starts, got {start} to {end} s")
        begin, stop = round(start * self.sampling_rate), round(end * self.sampling_rate)
        common = math.gcd(self._rate, self.sampling_rate)
        step, new_step = self._rate // common, self.sampling_rate // common  # frames that fall on the same instants
        margin = 0 if step == new_step else round(_MARGIN_SECONDS * self.sampling_rate)
        steps = max(0, begin - margin) // new_step
        last = min(self._frames, -(-(stop + margin) * step // new_step))
        skipped = begin - steps * new_step
        return self._resampled(steps * step, last)[skipped : skipped + stop - begin]

    def _resampled(self, first: int, last: int) -> np.ndarray:
        if self._rate == self.sampling_rate:
            return np.concatenate([*self._blocks(first, last), np.zeros(0, np.float32)])
        soxr = _soxr(self._rate, self.sampling_rate)
        stream = soxr.ResampleStream(self._rate, self.sampling_rate, 1, dtype="float32")
        parts = [stream.resample_chunk(block) for block in self._blocks(first, last)]
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        return np.concatenate(parts)

    def _blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Mono frames at the recording's own rate."""
        if self._array is not None:
            yield self._array[first:last]
            return
        try:
            self._file.seek(first)
            for begin in range(first, last, BLOCK):
                count = min(BLOCK, last - begin)
                block = self._file.read(count, dtype="float32", always_2d=True).mean(axis=1)
                if len(block) < count:
                    raise ValueError
                yield _checked_array(block, self.name)
        except (RuntimeError, ValueError) as error:
            told = str(error).startswith(self.name)
            raise ValueError(str(error) if told else f"{self.name}: the recording is cut off or damaged") from None

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
        if self._temporary is not None:
            self._temporary.cleanup()
        self._file = self._temporary = None

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def is_sound(path: str | Path) -> bool | None:
    """Whether a file is a recording, by how it begins; None where that says nothing (or there is no file)."""
    head = _head(Path(path))
    if _not_sound(head) not in (None, "a text"):
        return False
    return True if head.startswith(_CONTAINERS) or head[4:8] == b"ftyp" else None


class _Bytes(io.BytesIO):
    """libsndfile looks for places before the start of damaged files; that must not raise inside it."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


@contextlib.contextmanager
def _quiet(head: bytes) -> Iterator[None]:
    """libmpg123 writes what it thinks of a damaged MP3 file to stderr, past Python."""
    if head.startswith((b"RIFF", b"fLaC", b"OggS", b"FORM")):
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    if path.is_dir():
        raise ValueError(f"{path}: a folder, not a recording")
    return path


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _not_sound(head: bytes) -> str | None:
    for begin, kind in _NOT_SOUNDS:
        if head.startswith(begin):
            return kind
    if head[8:12] == b"WEBP":
        return "a picture"
    text = head.decode("utf-8", "ignore")  # ignored: a letter that the end of the head cuts
    plain = len(text.encode()) >= len(head) - 3 and all(letter.isprintable() or letter.isspace() for letter in text)
    return "a text" if head and plain else None


def _holds_all(opened: Path | io.BytesIO, head: bytes) -> bool:
    """False for a WAV or AIFF file whose samples should go on after its end."""
    size = opened.getbuffer().nbytes if isinstance(opened, io.BytesIO) else opened.stat().st_size
    kinds = {b"RIFF": ("<", b"data"), b"FORM": (">", b"SSND")}
    if head[:4] not in kinds:
        return True
    order, wanted = kinds[head[:4]]
    place = 12
    while place + 8 <= len(head):
        name, length = head[place : place + 4], struct.unpack(f"{order}I", head[place + 4 : place + 8])[0]
        if name == wanted:
            unknown = length >= 0xFFFFFF00  # written to a pipe
            return unknown or place + 8 + length <= size
        place += 8 + length + length % 2
    return True


def _checked_array(samples: np.ndarray, name: str) -> np.ndarray:
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise ValueError(f"{name}: a sound must be floats of shape (n,), got {samples.dtype} of shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: the recording holds values that are no numbers")
    return samples.astype(np.float32, copy=False)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise ValueError(f"recordings are read with soundfile, which cannot be imported: {error}") from None
    return soundfile


def _soxr(rate: int, wanted: int) -> Any:
    try:
        import soxr
    except ImportError:
        raise ValueError(f"a recording at {rate} Hz needs soxr to become {wanted} Hz: pip install soxr") from None
    return soxr
