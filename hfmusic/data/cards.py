"""README.md of the built datasets: YAML that `load_dataset` reads, counts, columns, licence and attribution."""

from __future__ import annotations

from typing import Any

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


def _card(template: str, summary: dict[str, Any], settings: PrimusSettings, public: dict[str, Any]) -> str:
    used = [*settings.sources, *(["generated"] if settings.generated else [])]
    free = set(used) <= {"rism", "generated", "openscore"}
    files = "\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in summary["rows"])
    counts = "\n".join(f"| {split} | {rows} |" for split, rows in summary["rows"].items())
    return template.format(
        head=_HEAD.format(licence="cc-by-3.0" if free else "other", files=files, **_TITLES[template]),
        counts=f"| split | rows |\n|---|---|\n{counts}",
        credits="\n".join(f"- {source}: {ATTRIBUTION[source]}" for source in used),
        failed=summary["failed"],
        dropped=", ".join(f"{reason} {count}" for reason, count in summary["dropped"].items()) or "none",
        settings=", ".join(f"{key} {value}" for key, value in public.items()),
    )


_HEAD = """---
pretty_name: {title}
license: {licence}
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

_TITLES = {
    _PRIMUS: {"title": "Staves in PrIMuS's manner", "task": "image-to-text", "tag": "optical-music-recognition"},
    _PRIMUS_AUDIO: {
        "title": "Staves in PrIMuS's manner, played",
        "task": "automatic-speech-recognition",
        "tag": "automatic-music-transcription",
    },
}
