"""Renditions on a grid of beats, as `hfmusic build pianoroll_audio` writes them, and windows of them.

Windows are rolls and spectra, and follow the beat: as many steps last longer where the music is slower. numpy only,
without torch, but for `cut_cqt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hfmusic.data.dataset_rows import hub_rows, parquet_rows
from hfmusic.data.recordings import Recording, read_recordings
from hfmusic.data.staves import parquet_files

PITCHES = 128
KINDS = ("binary", "velocity", "onsets", "strokes")
STEPS_PER_BEAT = 24  # 32nd notes and triplet 16ths are whole steps
FRAME_RATE = 22050 / 512  # of a spectrum, frames a second
BEAT_SECONDS = 0.5  # of recordings, whose beats nobody wrote down
_SOUNDING = 0.5  # in rolls of the kind "onsets", after the first step
_STRUCK = 128 / 255  # added in rolls of the kind "strokes" at the first step

NOTES = np.dtype(
    [
        ("onset_step", np.int32),
        ("offset_step", np.int32),
        ("onset_seconds", np.float64),
        ("offset_seconds", np.float64),
        ("pitch_midi", np.int16),
        ("velocity", np.int16),
    ]
)
COLUMNS = (
    *("id", "work", "piece", "composer", "source", "font", "program", "transposition", "audio", "seconds"),
    *("steps_per_beat", "notes", "step_seconds"),
)


@dataclass(frozen=True)
class RollPiece:
    """One rendition of a piece: a row of the dataset.

    Attributes:
        id: of the rendition.
        work: the composition; splits are made by it.
        piece: the name of the source's file: renditions of one piece differ in sound and transposition.
        composer: or "".
        font: the SoundFont that plays, and `program` its General MIDI program; "" and -1 of recordings.
        transposition: semitones that are already in the notes.
        audio: the bytes of a sound file.
        seconds: of the audio.
        notes: array of `NOTES` (n,), by onset, then pitch. Steps count from the first beat on, `steps_per_beat` each.
        step_seconds: float64 (T,), increasing: when each step begins, at least two.
    """

    id: str
    work: str
    piece: str
    composer: str
    source: str
    font: str
    program: int
    transposition: int
    audio: bytes
    seconds: float
    steps_per_beat: int
    notes: np.ndarray
    step_seconds: np.ndarray

    @property
    def steps(self) -> int:
        """Where the last note ends."""
        return int(self.notes["offset_step"].max(initial=0))

    def seconds_at(self, steps: np.ndarray) -> np.ndarray:
        """When steps are, whole or not; before the first and after the last at the pace there."""
        grid, steps = self.step_seconds, np.asarray(steps, np.float64)
        below = np.clip(np.floor(steps), 0, len(grid) - 2).astype(np.int64)
        return grid[below] + (steps - below) * (grid[below + 1] - grid[below])

    @classmethod
    def of_recording(cls, recording: Recording, beat_seconds: float = BEAT_SECONDS) -> RollPiece:
        """A recording on a steady grid: it comes without beats. Its `seconds` are those until the last note ends."""
        step = beat_seconds / STEPS_PER_BEAT
        times = np.array([(note.onset_seconds, note.offset_seconds) for note in recording.notes]).reshape(-1, 2)
        end = float(times[:, 1].max(initial=0.0))
        grid = np.arange(int(end / step) + 3) * step
        pitches, velocities = ([getattr(note, name) for note in recording.notes] for name in ("pitch_midi", "velocity"))
        about = {"id": recording.id, "work": recording.work, "piece": recording.id, "composer": ""}
        return cls(
            **about,
            source=recording.source,
            font="",
            program=-1,
            transposition=0,
            audio=recording.audio,
            seconds=end,
            steps_per_beat=STEPS_PER_BEAT,
            notes=notes_on_grid(times, pitches, velocities, grid),
            step_seconds=grid,
        )


@dataclass(frozen=True)
class RollGeometry:
    """How large windows are.

    Attributes:
        beats: of a window.
        steps_per_beat: columns of the roll a beat.
        hop_steps: from one window to the next.
        bins: of the spectrum.
        frames: of the spectrum a window, however long it lasts.
    """

    beats: int = 2
    steps_per_beat: int = STEPS_PER_BEAT
    hop_steps: int = 2
    bins: int = 128
    frames: int = 48

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} of windows of rolls must be at least 1, got {value}")

    @classmethod
    def paper(cls) -> RollGeometry:
        """Paper 004's results, as its code has it: one beat, 43 frames (86 a second at 120 beats a minute)."""
        return cls(1, frames=43)

    @classmethod
    def paper_text(cls) -> RollGeometry:
        """Paper 004's table 1: four beats, 172 frames."""
        return cls(4, frames=172)

    @classmethod
    def recommended(cls) -> RollGeometry:
        """Ours, as `AudioScoreConfig.recommended_roll`: two beats, a frame a step."""
        return cls()

    @classmethod
    def of(cls, processor: Any) -> RollGeometry:
        """That of an `AudioRollProcessor`."""
        return cls(processor.beats, processor.steps_per_beat, bins=processor.n_bins, frames=processor.frames)

    @property
    def steps(self) -> int:
        """Columns of a window's roll."""
        return self.beats * self.steps_per_beat


def notes_on_grid(times: Any, pitches: Any, velocities: Any, grid: np.ndarray) -> np.ndarray:
    """Notes as `NOTES` (n,), their steps those of `grid` (seconds of each) that are nearest; one step at least.

    Args:
        times: onset and offset in seconds, (n, 2).
    """
    times = np.asarray(times, np.float64).reshape(-1, 2)
    notes = np.zeros(len(times), NOTES)
    steps = np.rint(np.interp(times, grid, np.arange(len(grid)))).astype(np.int32)
    notes["onset_step"], notes["offset_step"] = steps[:, 0], np.maximum(steps[:, 1], steps[:, 0] + 1)
    notes["onset_seconds"], notes["offset_seconds"] = times[:, 0], times[:, 1]
    notes["pitch_midi"], notes["velocity"] = pitches, velocities
    return notes[np.lexsort((notes["pitch_midi"], notes["onset_step"]))]


def roll_of(notes: np.ndarray, start_step: int, steps: int, kind: str = "binary") -> np.ndarray:
    """A window's roll, float32 (128, steps) in 0..1, low pitch first.

    Args:
        notes: of `NOTES`.
        kind: "binary": 1 while a key sounds; "velocity": its velocity over 127; "onsets": 1 where a note begins, then
            0.5; "strokes": its velocity, where a note begins 128 more, over 255.

    >>> notes = notes_on_grid([(0.0, 1.5)], [60], [127], np.arange(5) * 0.5)
    >>> [roll_of(notes, -1, 5, kind)[60].tolist() for kind in ("binary", "onsets")]
    [[0.0, 1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.5, 0.5, 0.0]]
    """
    if kind not in KINDS:
        raise ValueError(f"a roll must be one of {', '.join(KINDS)}, got {kind!r}")
    near = notes[(notes["offset_step"] > start_step) & (notes["onset_step"] < start_step + steps)]
    roll = np.zeros((PITCHES, steps), np.float32)
    onsets, offsets = (near[name] - start_step for name in ("onset_step", "offset_step"))
    full = {"binary": 1, "onsets": _SOUNDING}.get(kind)
    values = near["velocity"] / (127 if kind == "velocity" else 255) if full is None else np.full(len(near), full)
    lines = zip(onsets.tolist(), offsets.tolist(), near["pitch_midi"].tolist(), values.tolist(), strict=True)
    for onset, offset, pitch, value in lines:
        roll[pitch, max(0, onset) : offset] = value
        if kind in ("onsets", "strokes") and onset >= 0:
            roll[pitch, onset] = 1 if kind == "onsets" else value + _STRUCK
    return roll


def windows(piece: RollPiece, geometry: RollGeometry) -> np.ndarray:
    """Steps at which a piece's windows begin, int64 (N,), `hop_steps` apart, up to the last that is whole; those in
    which nothing sounds are left out. A piece shorter than a window has one.

    Raises:
        ValueError: another number of steps a beat.
    """
    if piece.steps_per_beat != geometry.steps_per_beat:
        raise ValueError(
            f"{piece.id} has {piece.steps_per_beat} steps a beat, windows of {geometry.steps_per_beat} are wanted"
        )
    begins = np.arange(0, max(0, piece.steps - geometry.steps) + 1, geometry.hop_steps)
    sounding = np.zeros(max(piece.steps, geometry.steps) + 1, np.int32)
    np.add.at(sounding, piece.notes["onset_step"], 1)
    np.add.at(sounding, piece.notes["offset_step"], -1)
    heard = np.concatenate([[0], np.cumsum(np.cumsum(sounding) > 0)])
    return begins[heard[begins + geometry.steps] > heard[begins]]


def roll_numbers(piece: RollPiece, starts: np.ndarray, geometry: RollGeometry) -> np.ndarray:
    """Of each window a number, int64 (N,), that those share whose binary rolls are the same: such are one candidate.

    Notes repeated without a gap and a held note are the same, as are windows of any two pieces that look alike; a
    transposed window is another.
    """
    total = int(max(piece.steps, starts.max(initial=0) + geometry.steps))
    columns = np.ascontiguousarray(np.packbits(roll_of(piece.notes, 0, total) > 0, axis=0).T)
    images = (columns[at : at + geometry.steps].tobytes() for at in starts.tolist())
    digests = (hashlib.blake2b(image, digest_size=8).digest() for image in images)
    return np.frombuffer(b"".join(digests), np.int64)


def window_seconds(piece: RollPiece, starts: Any, geometry: RollGeometry, stretch: float = 1.0) -> np.ndarray:
    """When the columns of windows' spectra are, float64 (N, frames): the middles of equal parts of their beats.

    Args:
        starts: steps at which the windows begin, whole or not, (N,).
        stretch: by which windows are longer, about their middles.
    """
    shares = (np.arange(geometry.frames) + 0.5) / geometry.frames - 0.5
    middles = np.asarray(starts, np.float64)[:, None] + geometry.steps / 2
    return piece.seconds_at(middles + shares * (geometry.steps * stretch))


def cut_cqt(
    cqt: np.ndarray, piece: RollPiece, step: float, geometry: RollGeometry, frame_rate: float = FRAME_RATE
) -> np.ndarray:
    """A window's spectrum, float32 (frames, bins), as many columns however long the window lasts; silence beyond.

    Args:
        cqt: of the whole sound, (T, bins); frame t is centred on `t / frame_rate` seconds.
        step: where the window begins.
    """
    from hfmusic.models.processing_audio_roll import frames_at

    return frames_at(cqt, window_seconds(piece, [step], geometry)[0] * frame_rate)


def read_rolls(folder: str | Path, split: str = "test") -> Iterator[RollPiece]:
    """Read the renditions of a split in order, row by row.

    Args:
        folder: Parquet folder of `hfmusic build pianoroll_audio`, or owner/name of such a dataset on the Hub; or
            recordings with their notes, see `read_recordings`, which are put on a steady grid.

    Raises:
        ValueError: no such folder, nothing of this split in it, or a damaged row or file (named); one sentence.
    """
    path = Path(folder)
    if not path.is_dir():
        import datasets

        undecoded = {"audio": datasets.Audio(decode=False)}
        yield from map(row_piece, hub_rows(str(folder), split, undecoded, "piano rolls with audio"))
        return
    shards = parquet_files(path, split)
    if not shards or not _has_grid(shards[0]):
        yield from map(RollPiece.of_recording, read_recordings(path, split))
        return
    for shard in shards:
        yield from map(row_piece, parquet_rows(shard, COLUMNS, "piano rolls with audio"))


def _has_grid(shard: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return "step_seconds" in pq.read_schema(shard).names
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{shard} is a damaged Parquet file ({str(error).splitlines()[0]})") from None


def row_piece(row: dict[str, Any]) -> RollPiece:
    """A row of the dataset, its sound undecoded, as a rendition.

    Raises:
        ValueError: no id, no sound, or notes and steps that cannot be; names the row.
    """
    identifier = row.get("id")
    if not identifier:
        raise ValueError("a row of pianoroll_audio has no id")
    audio = (row.get("audio") or {}).get("bytes")
    if not audio:
        raise ValueError(f"rendition {identifier}: no sound in its row")
    try:
        notes = np.array([tuple(note[name] for name in NOTES.names or ()) for note in row["notes"]], NOTES)
        texts: dict[str, Any] = {name: row.get(name) or "" for name in ("work", "piece", "composer", "source", "font")}
        numbers = {name: row[name] for name in ("program", "transposition", "seconds", "steps_per_beat")}
        grid = np.asarray(row["step_seconds"], np.float64)
    except (KeyError, TypeError) as error:
        raise ValueError(f"rendition {identifier}: its row lacks a value ({error})") from None
    piece = RollPiece(id=identifier, audio=audio, notes=notes, step_seconds=grid, **texts, **numbers)
    _check(piece)
    return piece


def _check(piece: RollPiece) -> None:
    grid, notes = piece.step_seconds, piece.notes
    if len(grid) < 2 or not np.isfinite(grid).all() or np.diff(grid).min() <= 0:
        raise ValueError(f"rendition {piece.id}: step_seconds must be increasing numbers, two at least")
    wrong = (notes["offset_step"] <= notes["onset_step"]) | (notes["onset_step"] < 0)
    wrong |= (notes["pitch_midi"] < 0) | (notes["pitch_midi"] >= PITCHES)
    if wrong.any():
        raise ValueError(f"rendition {piece.id}: a note that cannot be ({notes[wrong][0]})")
