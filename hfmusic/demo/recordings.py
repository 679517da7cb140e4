"""Recordings that pages take and play: how long they may be, and a copy small enough to send."""

from __future__ import annotations

import io

import numpy as np

from hfmusic.hearing.polyphonic import seconds_of
from hfmusic.models.audio_reading import Sound
from hfmusic.render.roll_picture import clock

_RATE = 22050


def check_recording(file: str | None, most_seconds: float, start: float = 0.0, end: float | None = None) -> float:
    """How long a recording is, in seconds.

    Args:
        most_seconds: that may be listened to, of the part from `start` to `end`.

    Raises:
        ValueError: no recording, one that cannot be read, or a part that is too long; one sentence.
    """
    if file is None:
        raise ValueError("Give a recording first: upload or record one, or choose an example.")
    with Sound(file) as sound:
        seconds = sound.seconds
    part = min(end or seconds, seconds) - start
    if part > most_seconds:
        raise ValueError(
            f"{file}: {clock(part)} of music; this page listens to at most {clock(most_seconds)} at a time"
        )
    return seconds


def moment(text: str) -> float | None:
    """Seconds of "75" or "1:15"; None of an empty text.

    Raises:
        ValueError: another text.

    >>> moment(" 1:15 "), moment("")
    (75.0, None)
    """
    return seconds_of(text) if text.strip() else None


def playable(file: str, start: float = 0.0, end: float | None = None) -> bytes:
    """A part of a recording as FLAC, mono, which any browser plays: about a megabyte and a half a minute.

    Raises:
        ValueError: it cannot be read; one sentence.
    """
    with Sound(file, sampling_rate=_RATE) as sound:
        return as_flac(sound.window(start, end), _RATE)


def as_flac(samples: np.ndarray, sampling_rate: int) -> bytes:
    """A sound, float (n,) in -1..1, as FLAC: what libsndfile writes as MP3 has frames that decoders complain of."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sampling_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
