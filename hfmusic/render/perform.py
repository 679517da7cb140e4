"""A MIDI file as a person might play it: onsets and tempo stay, so that the score stays what is heard."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from typing import Self

import mido
import numpy as np

from hfmusic.symbolic.midi import open_midi

_VELOCITIES = (20, 120)
_ARTICULATION = (0.85, 1.0)


@dataclass(frozen=True)
class Manner:
    """How a whole piece is played.

    Attributes:
        velocity: mean of the notes' velocities.
        spread: standard deviation of single notes around it.
        articulation: the shortest and longest share of its duration that a note sounds for.
        gain: for `Synthesizer.play`.
        reverb: for `Synthesizer.play`.
    """

    velocity: float
    spread: float
    articulation: tuple[float, float]
    gain: float
    reverb: bool

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """Velocities from soft to loud, more or less even; legato or a little detached; a room or none."""
        shortest = rng.uniform(*_ARTICULATION)
        return cls(
            velocity=float(rng.uniform(45, 100)),
            spread=float(rng.uniform(2, 14)),
            articulation=(float(shortest), float(rng.uniform(shortest, _ARTICULATION[1]))),
            gain=float(np.exp(rng.uniform(np.log(0.1), np.log(1.0)))),
            reverb=bool(rng.random() < 0.5),
        )


def perform(midi: bytes, manner: Manner, rng: np.random.Generator) -> bytes:
    """A MIDI file with new velocities and note ends. Notes begin where they began, and the file ends where it ended.

    Raises:
        ValueError: no MIDI file.
    """
    file = open_midi(midi)
    for number, track in enumerate(file.tracks):
        file.tracks[number] = _performed(track, manner, rng)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def _performed(track: mido.MidiTrack, manner: Manner, rng: np.random.Generator) -> mido.MidiTrack:
    now, moved = 0, []  # (tick, order, message): ends go before beginnings, all else stays in its order
    begun: dict[tuple[int, int], list[int]] = defaultdict(list)
    for order, message in enumerate(track):
        now += message.time
        tick = now
        if message.type == "note_on" and message.velocity:
            begun[message.channel, message.note].append(now)
            velocity = int(np.clip(round(rng.normal(manner.velocity, manner.spread)), *_VELOCITIES))
            message = message.copy(velocity=velocity)
        elif message.type in ("note_on", "note_off") and begun[message.channel, message.note]:
            start = begun[message.channel, message.note].pop(0)
            tick = min(now, max(start + 1, start + round((now - start) * rng.uniform(*manner.articulation))))
        moved.append((tick, order, message))
    moved.sort(key=lambda entry: entry[:2])
    played, before = mido.MidiTrack(), 0
    for tick, _, message in moved:
        played.append(message.copy(time=tick - before))
        before = tick
    return played
