"""The files that README.md speaks of, small: made anew in a folder, from what ships and from other tests' makers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer
from hfmusic.symbolic.performance import PerformedNote, write_performance
from hfmusic.testing.scores import piano_musicxml, piano_notes
from hfmusic.testing.staves import write_pairs

from .data.test_maps_guitarset import write_guitarset, write_maps
from .hearing.test_by_retrieval import music

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SONG = music(7, beats=190)  # chords and a melody, 95 s: the others are songs that it is not
SCORES = {"Alpha": 0, "Beta": 1, "Gamma": 2}  # titles, and seeds of `piano_notes`
MEASURES = 12
PLAYED = "Beta"  # which of them recording.wav is of, and score.musicxml


def write_material(folder: Path) -> Path:
    """Everything that README's blocks read and do not make."""
    for name in ("examples", "model_cards"):
        (folder / name).symlink_to(ROOT / name)
    write_pictures(folder)
    write_music(folder)
    for name in ("FluidR3_GM", "one", "two", "other"):
        (folder / f"{name}.sf2").symlink_to(shipped_font())
    shutil.copytree(ROOT / "tests" / "golden" / "primus", folder / "PrIMuS")
    write_maps(folder / "MAPS")
    write_guitarset(folder / "GuitarSet")
    write_pairs(folder / "mine", count=8)  # by the hash of their names: train, validation and test
    return folder


def write_pictures(folder: Path) -> None:
    """A photographed staff, a folder of two, and a PDF of a page."""
    staves = EXAMPLES / "staves"
    for name in ("photo.jpg", "staff.jpg"):
        shutil.copyfile(staves / "photograph_small.jpg", folder / name)
    (folder / "scans").mkdir()
    for name in ("engraved.png", "scan_warped.jpg"):
        shutil.copyfile(staves / name, folder / "scans" / name)
    with Image.open(EXAMPLES / "pages" / "engraved.png") as page:
        page.convert("L").save(folder / "page.pdf", resolution=150)


def write_music(folder: Path) -> None:
    """The photographed staff played, a song as sound and as MIDI among others, scores, and one of these played."""
    sound, rate = soundfile.read(EXAMPLES / "sounds" / "photograph_small.flac")
    soundfile.write(folder / "melody.wav", sound, rate)
    for name in ("midi", "scores", "lieder"):
        (folder / name).mkdir()
    songs = {"song": SONG, "other": music(6, beats=40), "third": music(5, beats=40)}
    for name, notes in songs.items():
        (folder / "midi" / f"{name}.mid").write_bytes(write_performance(notes, tempo=120))
    shutil.copyfile(folder / "midi" / "song.mid", folder / "song.mid")
    for title, seed in SCORES.items():
        text = piano_musicxml(MEASURES, seed, title=title)
        (folder / "scores" / f"{title.lower()}.musicxml").write_text(text)
    shutil.copyfile(folder / "scores" / f"{PLAYED.lower()}.musicxml", folder / "score.musicxml")
    (folder / "lieder" / "song.musicxml").write_text(piano_musicxml(4, 3, title="Lied"))
    with Synthesizer(shipped_font(), gain=0.6) as piano:
        played = np.float32(piano.play_notes(SONG))
        recorded = piano.play_notes(notes_of(PLAYED))
    soundfile.write(folder / "song.wav", played, SAMPLING_RATE)
    soundfile.write(folder / "song.mp3", played, SAMPLING_RATE)
    soundfile.write(folder / "recording.wav", recorded, SAMPLING_RATE)


def notes_of(title: str) -> list[PerformedNote]:
    """A score of `SCORES` as it is written, at 120 quarters a minute."""
    notes = piano_notes(MEASURES, SCORES[title])
    return [PerformedNote(onset / 2, (onset + length) / 2, pitch, 80) for pitch, onset, length in notes]
