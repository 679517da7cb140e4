"""README.md of the built datasets: YAML that `load_dataset` reads, counts, columns, licence and attribution."""

from __future__ import annotations

from typing import Any

from hfmusic.data.licences import licence_lines, licence_of
from hfmusic.data.primus import PrimusSettings

ATTRIBUTION = {
    "rism": "Incipits of the RISM catalogue (https://rism.info), CC BY 3.0, RISM Zentralredaktion and contributors, "
    "made anew from their code.",
    "music21": "Tunes of the music21 corpus (https://web.mit.edu/music21), each under the terms named there. "
    "Read from the installed package; check them before you pass this dataset on.",
    "openscore": "Voice parts of OpenScore songs (https://openscore.cc), CC0.",
    "primus": "PrIMuS / Camera-PrIMuS, J. Calvo-Zaragoza and D. Rizo "
    "(https://grfia.dlsi.ua.es/primus), under its own terms.",
    "generated": "Tunes drawn by hfmusic from statistics of the RISM incipits.",
}


def primus_card(summary: dict[str, Any], settings: PrimusSettings, public: dict[str, Any]) -> str:
    """The card of `hfmusic build primus`. `public`: the settings as build.json has them."""
    return _card(_PRIMUS, summary, settings, public)


def primus_audio_card(summary: dict[str, Any], settings: PrimusSettings, public: dict[str, Any]) -> str:
    """The card of `hfmusic build primus_audio`."""
    return _card(_PRIMUS_AUDIO, summary, settings, public)


def maps_card(summary: dict[str, Any], public: dict[str, Any]) -> str:
    """The card of `hfmusic build maps`. `public`: the settings as build.json has them."""
    return _recordings_card(_MAPS, "cc-by-nc-sa-2.0", summary, public)


def guitarset_card(summary: dict[str, Any], public: dict[str, Any]) -> str:
    """The card of `hfmusic build guitarset`."""
    return _recordings_card(_GUITARSET, "cc-by-4.0", summary, public)


def synthesized_card(summary: dict[str, Any], public: dict[str, Any]) -> str:
    """The card of `hfmusic build synthesized_instruments`."""
    return _recordings_card(_SYNTHESIZED, "other", summary, public)


def sheet_audio_card(summary: dict[str, Any], public: dict[str, Any]) -> str:
    """The card of `hfmusic build sheet_audio`."""
    return _pairs_card(_SHEET_AUDIO, "Scores and their sound", "audio-sheet-retrieval", summary, public)


def pianoroll_audio_card(summary: dict[str, Any], public: dict[str, Any]) -> str:
    """The card of `hfmusic build pianoroll_audio`."""
    return _pairs_card(_PIANOROLL_AUDIO, "Piano rolls and their sound", "audio-midi-retrieval", summary, public)


def _pairs_card(template: str, title: str, tag: str, summary: dict[str, Any], public: dict[str, Any]) -> str:
    task = "feature-extraction"
    return template.format(
        head=_head(summary, "other", title=title, task=task, tag=tag),
        counts=_counts(summary),
        failed=summary["failed"],
        dropped=_dropped(summary),
        settings=", ".join(f"{key} {value}" for key, value in public.items()),
    )


def _recordings_card(about: str, licence: str, summary: dict[str, Any], public: dict[str, Any]) -> str:
    title, text = about.split("\n", 1)
    task, tag = "automatic-speech-recognition", "automatic-music-transcription"
    return _RECORDINGS.format(
        head=_head(summary, licence, title=title, task=task, tag=tag),
        counts=_counts(summary),
        about=text.strip(),
        ends=_ENDS[public.get("offsets", "")],
        sampling_rate=f"{public['sampling_rate']:,}",
        failed=summary["failed"],
        dropped=_dropped(summary),
        settings=", ".join(f"{key} {value}" for key, value in public.items()),
    )


def _head(summary: dict[str, Any], licence: str, **about: str) -> str:
    files = "\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in summary["rows"])
    return _HEAD.format(licence=licence_lines(licence), files=files, **about)


def _counts(summary: dict[str, Any]) -> str:
    rows = "\n".join(f"| {split} | {count} |" for split, count in summary["rows"].items())
    return f"| split | rows |\n|---|---|\n{rows}"


def _dropped(summary: dict[str, Any]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in summary["dropped"].items()) or "none"


def _card(template: str, summary: dict[str, Any], settings: PrimusSettings, public: dict[str, Any]) -> str:
    used = [*settings.sources, *(["generated"] if settings.generated else [])]
    return template.format(
        head=_head(summary, licence_of(used), **_TITLES[template]),
        counts=_counts(summary),
        credits="\n".join(f"- {source}: {ATTRIBUTION[source]}" for source in used),
        failed=summary["failed"],
        dropped=_dropped(summary),
        settings=", ".join(f"{key} {value}" for key, value in public.items()),
    )


_HEAD = """---
pretty_name: {title}
{licence}
task_categories:
- {task}
tags:
- music
- {tag}
configs:
- config_name: default
  default: true
  data_files:
{files}
---

# {title}"""

_PRIMUS = """{head}

One staff of music a row, engraved by Verovio, with its labels. Built by `hfmusic build primus`.

{counts}

Splits are by source work, and no text occurs in two of them or twice in one.

| column | what |
|---|---|
| id, work, source | the stave, the work it is from, the collection that work is from |
| image | PNG, black and white or gray, cropped to the ink |
| distorted | the same as a camera might see it: JPEG, gray |
| semantic, agnostic | PrIMuS's two encodings, tokens parted by tabs |
| midi | a MIDI file: 120 bpm, velocity 64 |
| mei | the MEI the image is engraved from |

## Where the music is from

{credits}

## How it was built

Settings: {settings}. Not expressible in PrIMuS's encodings, or a duplicate, hence left out: {dropped}.
Failed in engraving: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""

_PRIMUS_AUDIO = """{head}

One staff of music a row, played by FluidSynth, with its labels. Built by `hfmusic build primus_audio`.

{counts}

Splits are by source work, and no text occurs in two of them or twice in one. `hfmusic build primus` with the same
settings makes the pictures of the same staves: rows join by id, and a staff is in the same split there.

| column | what |
|---|---|
| id, work, source | the stave, the work it is from, the collection that work is from |
| audio | FLAC, 22,050 Hz, mono, 16 bits: the MIDI file played, 120 quarters a minute |
| font, program | the SoundFont, and its General MIDI program from 0 (0: grand piano) |
| semantic | PrIMuS's semantic encoding, tokens parted by tabs |
| midi | the MIDI file: PrIMuS's own where it came with one, or made from the score; 120 bpm, velocity 64 |

A sound lasts as long as the music does on paper, rests at its end included, or until its last note has died away by
60 dB, at most 3 s after that. Grace notes do not sound, as in PrIMuS's own MIDI files.

Settings `curate` (incipits with a multirest are left out) and `max_seconds` apply after splits and ids are settled.
The paper (Alfaro-Contreras et al., SMC 2022) curates "samples containing long multi-rests" and does not say how long:
that every multirest counts is our reading. With `expressive`, training staves vary in loudness of the piece and of its
notes, in how detached the notes are, and in reverberation; onsets and tempo do not vary, nor does `midi`.

## Where the music is from

{credits}

## How it was built

Settings: {settings}.
Not expressible in PrIMuS's encodings, a duplicate, or curated, hence left out: {dropped}.
Failed in playing: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""

# Of a note, by the setting `offsets`; GuitarSet has none.
_ENDS = {
    "": "as annotated",
    "sound": "where it is damped: key and pedal let go",
    "keys": "where its key is let go; the pedal may sustain its sound",
    "instrument": "where its key is let go, of pianos; where it is damped, of all others",
}

_RECORDINGS = """{head}

One recording a row, with the notes that are heard in it.

{counts}

{about}

| column | what |
|---|---|
| id, work, source | the recording, the composition (splits are made by it), the collection |
| instrument, program, font | what plays; General MIDI program and SoundFont, -1 and empty where it is real |
| audio, seconds | FLAC, {sampling_rate} Hz, mono, 16 bits, and its length |
| notes | onset_seconds, offset_seconds ({ends}), pitch_midi, velocity, string (1: highest; 0: unknown) |

## How it was built

Settings: {settings}. Left out: {dropped}.
Failed: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""

_MAPS = """MAPS, pieces with their notes
Pieces of MAPS, "MIDI Aligned Piano Sounds" (V. Emiya, N. Bertin, B. David, R. Badeau, 2010), CC BY-NC-SA 2.0 FR. Built
by `hfmusic build maps` from a copy of it.

The test split is what the `test_pianos` play, by default the real Disklavier. With protocol "leak-free" no composition
is in two splits; with "paper" (paper 001, as its code has it) what is tested on is also trained on where another piano
plays it, and validation is the test set again. `offsets` is about the .mid files; notes of .tsv and .txt end where
these say: in the .tsv of Onsets and Frames with their keys."""

_GUITARSET = """GuitarSet, recordings with their notes
GuitarSet (Q. Xi, R. Bittner, J. Pauwels, X. Ye, J. P. Bello, ISMIR 2018), CC BY 4.0,
https://zenodo.org/records/3371780. Built by `hfmusic build guitarset` from a copy of it.

Pitches are rounded to semitones; velocities are not annotated: 64. A style's progression is one work, whoever plays it
in whichever tempo and key, chords or solo: no progression of a style is in two splits."""

_SYNTHESIZED = """Performances and scores, played by SoundFonts
Notes of other collections, played by FluidSynth. Built by `hfmusic build synthesized_instruments`. The terms of the
labels and of the fonts hold for it.

No composition is in two splits. Only the training split is augmented. Further columns say how a sound departs from its
labels' file: begin_seconds (of the excerpt, in the piece as it was played), tempo (factor), transposition (semitones),
velocity_scale, room_seconds and room_decibels (an added echo; 0: none), noise_decibels (of the signal above added
noise), eq_decibels (gains at 62.5, 125 ... 8,000 Hz). A sound's program plays all parts but percussion. Where a piece
leaves its compass it is moved by octaves, and what still lies outside is left out of sound and notes."""

_SHEET_AUDIO = """{head}

One rendition of an engraved piece a row: its pages, where every notehead, system and measure is on them, and its sound,
with the moment at which every notehead begins. Built by `hfmusic build sheet_audio`, in the manner of MSMD (M. Dorfer
et al., TISMIR 2018). The terms of the scores and of the fonts hold for it: OpenScore's are CC0; those of music21's
corpus are told there; MSMD is CC BY-NC-SA 4.0.

{counts}

Splits are by composition: all movements of a work, and all renditions of a piece, are in one.

| column | what |
|---|---|
| id, work, piece, source | the rendition, the composition, the score's file, the collection it is from |
| composer, title | as the score has them |
| font, program, tempo_factor | SoundFont and General MIDI program that play it, how much faster than the score says |
| audio, seconds | FLAC, 22,050 Hz, mono, 16 bits, and its length |
| pages | PNG, greys, 835 pixels wide, about 7 from one staff line to the next |
| systems | page, and the box of the outer staff lines in its pixels |
| notes | page, system, x and y of the notehead's centre, pitch_midi, staff, onset in quarters and seconds, end |
| measures | number, page, system, x of its left bar line, onset in quarters and seconds, length in quarters |

Repeats are played once, as they are printed. Grace notes are drawn and neither sound nor count; ornaments and tremolos
sound as their main note; tied notes sound once, at the first notehead; hidden notes neither sound nor count.
Training pieces are played by the first font as written, then in turn by another font, in another tempo, and both.

## How it was built

Settings: {settings}. Left out: {dropped}.
Failed: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""

_PIANOROLL_AUDIO = """{head}

One rendition of a piece a row: its notes in seconds and on a grid of its beats, and its sound. Built by `hfmusic build
pianoroll_audio` from MIDI files and scores, after G. Dias Neto et al., "Automatic transcription using embedding latent
space". The terms of the MIDI files and of the fonts hold for it.

{counts}

Splits are by composition: all renditions of a piece are in one.

| column | what |
|---|---|
| id, work, piece, source | the rendition, the composition, the file, the folder it is from |
| composer | the folder below that, or nothing |
| font, program, transposition | SoundFont and General MIDI program that play it, semitones away from the file |
| audio, seconds | FLAC, 22,050 Hz (128 bands of 16 an octave from 30 Hz end at 7.4 kHz), mono, 16 bits; its length |
| steps_per_beat, step_seconds | a beat is a quarter; when each of its steps begins, by the file's own tempo map |
| notes | onset and end in steps and in seconds, pitch_midi, velocity; by onset |

Windows of beats, their rolls and spectra are cut when rows are read, by `hfmusic.data.rolls`: a row a window would hold
every sound dozens of times. Two windows with the same binary roll are one candidate; empty ones are left out. Training
pieces sound once in their own key, then in others, the fonts taking turns.
With `velocity` "one" all notes have velocity 1 and sounds keep the level at which the font plays them.

## How it was built

Settings: {settings}. Left out: {dropped}.
Failed: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""

_TITLES = {
    _PRIMUS: {"title": "Staves in PrIMuS's manner", "task": "image-to-text", "tag": "optical-music-recognition"},
    _PRIMUS_AUDIO: {
        "title": "Staves in PrIMuS's manner, played",
        "task": "automatic-speech-recognition",
        "tag": "automatic-music-transcription",
    },
}
