"""`hfmusic index`, `find` and `align`: scores and MIDI looked up by recordings, and followed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hfmusic.cli_common import Json, listed, print_json, report

if TYPE_CHECKING:
    from hfmusic.retrieve import Finding


def index(
    scores: Annotated[
        list[Path] | None,
        typer.Argument(help="Scores (.mxl, .musicxml, .xml, .mei, .krn, .abc) or MIDI, or folders of either."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The index: a folder.")] = Path("my.index"),
    model: Annotated[
        str | None,
        typer.Option(help="A model of audio and sheet music, or chroma (no model; takes MIDI), the default."),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add to the index, or replace pieces of the same names.")] = False,
    remove: Annotated[
        list[str], typer.Option(help="Take a piece out, by its name in the index; may be given again.")
    ] = [],  # noqa: B006
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Keep the systems' pictures, for find --picture.")
    ] = True,
    rolls: Annotated[
        bool, typer.Option("--rolls", help="Of MIDI: windows of piano rolls, for transcribe --by retrieval.")
    ] = False,
    hop: Annotated[int, typer.Option(help="Of --rolls: steps between windows, 24 a beat.")] = 12,
    as_json: Json = False,
) -> None:
    """Make an index of scores or MIDI files that `hfmusic find` looks recordings up in."""
    _quiet()
    changes: dict[str, Any] = {"out": out, "model": model, "add": add, "remove": remove}
    if rolls:
        from hfmusic.roll_index import index_rolls

        summary = index_rolls(scores or [], hop=hop, **changes)
    else:
        from hfmusic.index import index as verb

        summary = verb(scores or [], pictures=pictures, **changes)
    failed = summary["failed"]
    if as_json:
        print_json(summary)
    else:
        for _, why in failed:
            print(f"hfmusic: {why}", file=sys.stderr)
        report({name: value for name, value in summary.items() if name != "failed"}, as_json)
    if failed:
        raise typer.Exit(1)


def find(
    recording: Annotated[Path, typer.Argument(help="A recording or MIDI, of a whole piece or of some seconds of one.")],
    index: Annotated[Path, typer.Option(help="What `hfmusic index` made.")] = Path("my.index"),
    model: Annotated[str | None, typer.Option(help="Default: the model that made the index.")] = None,
    top: Annotated[int, typer.Option(help="At most so many pieces.")] = 5,
    picture: Annotated[
        bool, typer.Option("--picture", help="Also STEM.find.png: the score where it matches best.")
    ] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the picture.")] = Path("."),
    as_json: Json = False,
) -> None:
    """Find which score or MIDI file a recording is of, and where in it the recording begins."""
    from hfmusic.retrieve import find as verb
    from hfmusic.retrieve import write_picture

    _quiet()
    found = verb(recording, index, model=model, top=top)
    drawn = write_picture(found, out) if picture else None
    if as_json:
        print_json(found.as_dict() | ({"picture": str(drawn)} if drawn else {}))
    else:
        _tell(found, drawn)


def _tell(found: Finding, drawn: Path | None) -> None:
    unsure = "" if found.sure else ": probably none of the index's pieces; the nearest are"
    print(f"{found.source} ({found.seconds:.1f} s){unsure}")
    for number, one in enumerate(found.pieces, start=1):
        print(f"{number:3}. {one.told()}")
    if drawn is not None:
        print(f"     {drawn}")


def align(
    recording: Annotated[Path, typer.Argument(help="A recording of the score, or of a part of it.")],
    score: Annotated[Path, typer.Argument(help="The score: .mxl, .musicxml, .xml, .mei, .krn or .abc.")],
    method: Annotated[str, typer.Option(help="plain (paper 003), chroma (no model), better (both), or auto.")] = "auto",
    model: Annotated[
        str | None, typer.Option(help="A model of audio and sheet music. Where one is needed: audio-sheet-embedding.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="The recording is of the whole score, with nothing before or after.")
    ] = False,
    jumps: Annotated[bool, typer.Option("--jumps", help="Repeats are played, or measures are left out.")] = False,
    format: Annotated[str, typer.Option(help="Comma-separated: csv, json, html.")] = "csv,json,html",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for STEM.align.FORMAT.")] = Path("."),
    as_json: Json = False,
) -> None:
    """Follow a recording in its score: a table of times, and a web page with a moving cursor."""
    from hfmusic.align import align as verb
    from hfmusic.align import write_alignment

    _quiet()
    found = verb(recording, score, method=method, model=model, whole=whole, jumps=jumps)  # type: ignore[arg-type]
    files = [str(path) for path in write_alignment(found, out, tuple(listed(format)))]
    if as_json:
        print_json({**found.as_dict(), "files": files})
        return
    if not found.likely:
        print(f"hfmusic: {recording} hardly sounds like {score} (fit {found.fit:.2f})", file=sys.stderr)
    print(f"{recording}: {len(found.rows)} onsets, {len(found.measures)} measures, fit {found.fit:.2f} -> "
          f"{', '.join(Path(file).name for file in files)}")  # fmt: skip


def _quiet() -> None:
    from hfmusic.cli import _quiet as quiet

    quiet()
