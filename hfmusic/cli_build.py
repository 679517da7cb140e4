"""`hfmusic build`: the options of every dataset's builder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hfmusic.cli_common import Json, listed, report


def build(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Name of a dataset: primus (pictures), primus_audio (sound), maps, guitarset, "
            "synthesized_instruments, sheet_audio (scores and their sound) or pianoroll_audio (rolls and their sound)."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder that load_dataset() will open.")],
    n: Annotated[
        int | None, typer.Option("--n", help="At most this many staves, recordings or pieces (default: all).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it (default: 0).")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with the real PrIMuS or Camera-PrIMuS, OpenScore songs, MAPS, or GuitarSet."),
    ] = None,
    sources: Annotated[
        str | None, typer.Option(help="Comma-separated: rism, music21, openscore, primus (default: what is there).")
    ] = None,
    variations: Annotated[int | None, typer.Option(help="Variations of each training tune or piece.")] = None,
    generated: Annotated[int | None, typer.Option(help="Generated training tunes to add.")] = None,
    encodings: Annotated[
        str | None,
        typer.Option(help="Comma-separated: tunes must be in these of PrIMuS's vocabularies (semantic,agnostic)."),
    ] = None,
    splits: Annotated[
        str | None, typer.Option(help="Of the real PrIMuS: official or work. synthesized_instruments: work or source.")
    ] = None,
    distorted: Annotated[
        bool | None, typer.Option("--distorted/--no-distorted", help="primus: the distorted picture of each staff too.")
    ] = None,
    fonts: Annotated[
        str | None,
        typer.Option(help="Of played sounds: comma-separated FONT or FONT:PROGRAM (file, folder, name), one a row."),
    ] = None,
    test_fonts: Annotated[str | None, typer.Option(help="Of played sounds: other fonts for the test split.")] = None,
    paper: Annotated[
        bool | None, typer.Option("--paper", help="primus_audio: as the paper, one piano, plainly played, curated.")
    ] = None,
    curate: Annotated[
        bool | None, typer.Option("--curate", help="primus_audio: without the staves that have a multirest.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Of played sounds: without those that last longer.")] = None,
    expressive: Annotated[
        bool | None,
        typer.Option("--expressive", help="primus_audio, sheet_audio: the training split is played with expression."),
    ] = None,
    gain: Annotated[float | None, typer.Option(help="primus_audio: FluidSynth's volume (default: 0.2).")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="maps: leak-free (default: no composition in two splits), or paper.")
    ] = None,
    offsets: Annotated[
        str | None,
        typer.Option(
            help="Of notes of performances: they end with their sound (default), with their keys, or as is usual for "
            "their instrument (synthesized_instruments)."
        ),
    ] = None,
    test_pianos: Annotated[str | None, typer.Option(help="maps: comma-separated (ENSTDkAm,ENSTDkCl).")] = None,
    sound: Annotated[
        str | None, typer.Option(help="guitarset: mic, hex, hex_cln or mix (default: what is there).")
    ] = None,
    sampling_rate: Annotated[int | None, typer.Option(help="Of recordings, Hz (default: 16,000).")] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="synthesized_instruments, pianoroll_audio: comma-separated folders of MIDI and MusicXML; of the "
            "former also TSV, or datasets[:SPLIT]."
        ),
    ] = None,
    exclude_works: Annotated[
        str | None, typer.Option(help="The same: folders or datasets[:SPLIT] whose compositions are left out.")
    ] = None,
    draw_fonts: Annotated[
        bool | None,
        typer.Option("--draw-fonts", help="sheet_audio: a training piece's font is drawn, not the first of them."),
    ] = None,
    each_font: Annotated[
        bool | None, typer.Option("--each-font", help="The same: every font plays everything, not one drawn for each.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="The same: comma-separated tempo, transpose, velocity, humanise, room, noise, eq (pianoroll_audio: "
            "the last three); or all."
        ),
    ] = None,
    excerpt_seconds: Annotated[float | None, typer.Option(help="The same: cut into sounds of at most so long.")] = None,
    scores: Annotated[
        str | None, typer.Option(help="sheet_audio: comma-separated folders of MusicXML, MEI, Humdrum or ABC.")
    ] = None,
    music21: Annotated[
        str | None, typer.Option(help="sheet_audio: comma-separated composers of music21's corpus (bach,mozart).")
    ] = None,
    msmd: Annotated[str | None, typer.Option(help="sheet_audio: comma-separated folders of MSMD.")] = None,
    tempo: Annotated[
        str | None, typer.Option(help="sheet_audio: comma-separated factors for variations (default: 0.9 to 1.1).")
    ] = None,
    engravings: Annotated[
        str | None, typer.Option(help="sheet_audio: comma-separated music fonts of Verovio, one drawn for each piece.")
    ] = None,
    transpose: Annotated[
        str | None, typer.Option(help="pianoroll_audio: semitones that variations move by, LOW..HIGH (-6..6).")
    ] = None,
    velocity: Annotated[
        str | None, typer.Option(help="pianoroll_audio: as-is (default), or one: hardly heard, as paper 004's code.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="sheet_audio: pages (default), or row: one long system.")] = None,
    num_proc: Annotated[int, typer.Option(help="Worker processes.")] = 2,
    as_json: Json = False,
) -> None:
    """Make a dataset: engrave or play, write sharded Parquet with a card. A killed build continues."""
    from hfmusic.build import build as verb

    lists = {
        "sources": sources,
        "encodings": encodings,
        "fonts": fonts,
        "test_fonts": test_fonts,
        "test_pianos": test_pianos,
        "labels": labels,
        "exclude_works": exclude_works,
        "augment": augment,
        "scores": scores,
        "music21": music21,
        "msmd": msmd,
        "tempo": tempo,
        "engravings": engravings,
    }
    options: dict[str, Any] = {
        "n": n,
        "seed": seed,
        "data_dir": data_dir,
        "variations": variations,
        "generated": generated,
        "splits": splits,
        "distorted": distorted,
        "paper": paper,
        "curate": curate,
        "max_seconds": max_seconds,
        "expressive": expressive,
        "gain": gain,
        "protocol": protocol,
        "offsets": offsets,
        "sound": sound,
        "sampling_rate": sampling_rate,
        "draw_fonts": draw_fonts,
        "each_font": each_font,
        "excerpt_seconds": excerpt_seconds,
        "layout": layout,
        "transpose": transpose,
        "velocity": velocity,
    }
    options |= {name: listed(text) for name, text in lists.items() if text is not None}
    given = {name: value for name, value in options.items() if value is not None}
    report(verb(dataset, out, num_proc=num_proc, **given), as_json)
