"""The notes of many voices as files: MIDI, MusicXML, a table, a picture over the spectrogram, and sound."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hfmusic.render.soundfonts import find_fonts, shipped_font
from hfmusic.symbolic.performance import PerformedNote, write_notes_csv, write_performance

if TYPE_CHECKING:
    from hfmusic.hearing.polyphonic import PolyphonicTranscription
    from hfmusic.render.synthesize import Synthesizer

_RATE = 22050
_PIECE_SECONDS = 300.0  # played at a time: memory does not grow with the music
_PEAK = 0.9
_GUITARS = range(24, 32)


def written(heard: PolyphonicTranscription, format: str) -> str | bytes:
    """What was heard in one of `WRITERS`.

    Raises:
        ValueError: another format, or one for which something is missing.
    """
    if format not in WRITERS:
        raise ValueError(
            f"many voices can be written as {', '.join(WRITERS)}, not as {format}: a melody can (--voices one)"
        )
    return WRITERS[format](heard)


def _midi(heard: PolyphonicTranscription) -> bytes:
    start = heard.start_seconds
    return write_performance(
        heard.notes,
        beats=heard.beats if heard.tempo_map else None,
        tempo=heard.given_tempo or 120.0,
        program=heard.program,
        start_seconds=start,
        end_seconds=start + heard.seconds,
    )


def _musicxml(heard: PolyphonicTranscription) -> str:
    from hfmusic.symbolic.engraved_performance import write_performance_musicxml
    from hfmusic.symbolic.quantise import quantised

    guitar = heard.program in _GUITARS
    music = quantised(heard.notes, heard.beats, staves=1 if guitar else None)
    title, name = Path(heard.source).stem, heard.instrument.capitalize()
    return write_performance_musicxml(music, tempo=heard.tempo, title=title, instrument=name, octave_clef=guitar)


def _csv(heard: PolyphonicTranscription) -> str:
    return write_notes_csv(heard.notes)


def _roll(heard: PolyphonicTranscription) -> bytes:
    from hfmusic.hearing.spectrogram import RATE, spectrogram
    from hfmusic.models.audio_reading import Sound
    from hfmusic.render.roll_picture import roll_png

    background = None
    start, end = heard.start_seconds, heard.start_seconds + heard.seconds
    if heard.sound is not None:
        source, rate = heard.sound if isinstance(heard.sound, tuple) else (heard.sound, None)
        with Sound(source, sampling_rate=RATE, array_rate=rate) as sound:
            background = spectrogram(sound, start, end)
    title = f"{Path(heard.source).name}: {len(heard.notes)} notes"
    return roll_png(heard.notes, heard.seconds, background, start_seconds=start, title=title)


def _sound(heard: PolyphonicTranscription) -> bytes:
    import soundfile as sf

    samples = played(heard.notes, heard.seconds, program=heard.program, start_seconds=heard.start_seconds)
    file = io.BytesIO()
    sf.write(file, samples, _RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def played(
    notes: Sequence[PerformedNote], seconds: float, *, program: int = 0, start_seconds: float = 0.0
) -> np.ndarray:
    """Notes as sound of exactly so many seconds at 22,050 Hz, float32 (n,) with a peak of 0.9.

    Args:
        program: General MIDI; by the piano that ships with hfmusic where no font that is here has it.
        start_seconds: of the notes' time, where the sound begins.

    Raises:
        ValueError: FluidSynth is not installed.
    """
    result = np.zeros(round(seconds * _RATE), np.float32)
    with _player(program) as synthesizer:
        for begin in np.arange(start_seconds, start_seconds + seconds, _PIECE_SECONDS).tolist():
            some = [note for note in notes if begin <= note.onset_seconds < begin + _PIECE_SECONDS]
            if not some:
                continue
            sound = synthesizer.play(write_performance(some, start_seconds=begin), gain=0.4)
            first = round((begin - start_seconds) * _RATE)
            piece = result[first : first + len(sound)]
            piece += sound[: len(piece)]
    peak = float(np.abs(result).max(initial=0.0))
    if peak > 0:
        result *= np.float32(_PEAK / peak)
    return result


def _player(program: int) -> Synthesizer:
    """With the first font here that has a program, else with the shipped piano."""
    from hfmusic.render.synthesize import Synthesizer

    for font in find_fonts().values() if program else ():
        try:
            return Synthesizer(font, program=program, sampling_rate=_RATE)
        except ValueError:
            continue
    return Synthesizer(shipped_font(), sampling_rate=_RATE)


WRITERS: dict[str, Callable[[PolyphonicTranscription], str | bytes]] = {
    "midi": _midi,
    "musicxml": _musicxml,
    "csv": _csv,
    "roll": _roll,
    "sound": _sound,
}
