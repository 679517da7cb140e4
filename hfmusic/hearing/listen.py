"""A recording of one melody to tokens: what sounds, its tempo, and a reading of all of it."""

from __future__ import annotations

from collections.abc import Callable

from tqdm import tqdm

from hfmusic.hearing.ear import Ear, Heard
from hfmusic.hearing.loudness import Loudness, loudness
from hfmusic.hearing.onsets import Onsets
from hfmusic.hearing.tempo import FASTEST, SLOWEST, choose_tempo, convincing
from hfmusic.hearing.windows import LONGEST_WHOLE, WINDOW_SECONDS, joined, read_windows
from hfmusic.models.audio_reading import Sound

_TEMPO_SECONDS = 16.0  # of music from which the tempo is told
_UNSURE = 0.35  # mean confidence of what noise is taken for
_SHORTEST = 0.05  # seconds of sound that can hold a note


def listen(
    sound: Sound, ear: Ear, *, tempo: float | None = None, judge: Callable[[Heard, Onsets], float] = convincing
) -> Heard:
    """Tokens of a recording, of any length; memory does not grow with it.

    Args:
        tempo: quarters a minute; None: chosen.
        judge: how much a reading speaks for its tempo.

    Raises:
        ValueError: a tempo out of range, a recording that cannot be decoded, or no music in it.
    """
    if tempo is not None and not SLOWEST / 2 <= tempo <= FASTEST * 2:
        raise ValueError(
            f"the tempo must be {SLOWEST / 2:.0f} to {FASTEST * 2:.0f} quarter notes a minute, got {tempo}"
        )
    levels = loudness(sound)
    music = levels.music()
    if music is None or music[1] - music[0] < _SHORTEST:
        raise ValueError(f"no music in {sound.name}: it is silent")
    follow = tempo is None
    if tempo is None:
        excerpt = (music[0], min(music[1], music[0] + _TEMPO_SECONDS))
        tempo = choose_tempo(sound.window(*excerpt), ear, judge)
    if music[1] - music[0] <= LONGEST_WHOLE * WINDOW_SECONDS * 120.0 / tempo:
        return _with_notes(ear.read(sound.window(*music), tempo).shifted(music[0]), sound)
    return _with_notes(_listen_long(sound, ear, tempo, levels, follow), sound)


def _listen_long(sound: Sound, ear: Ear, tempo: float, levels: Loudness, follow: bool) -> Heard:
    readings = []
    with tqdm(total=round(sound.seconds), unit="s", desc="listening", leave=False, disable=None) as progress:
        for section in levels.sections():
            for heard, until in read_windows(sound, ear, section, tempo, levels, follow=follow):
                readings.append(heard)
                progress.update(round(until) - progress.n)
    return joined(readings)


def _with_notes(heard: Heard, sound: Sound) -> Heard:
    if not any(token.startswith("note-") for token in heard.tokens):
        raise ValueError(f"no music in {sound.name}: no note was heard")
    if heard.confidence < _UNSURE:
        raise ValueError(f"no music in {sound.name}: what was heard is only {100 * heard.confidence:.0f} % sure")
    return heard
