"""`hfmusic <verb>`: parses, calls the verb, prints. Exit code 0, 1 (the work failed) or 2 (bad usage).

Heavy imports sit inside the commands: `hfmusic --help` answers without torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import hfmusic
from hfmusic.cli_build import build
from hfmusic.cli_common import Json, listed, print_json, report
from hfmusic.cli_demo import demo
from hfmusic.cli_find import align, find, index
from hfmusic.cli_publish import card, hub, publish

By = Annotated[
    str | None,
    typer.Option(help="Many voices by retrieval (of rolls in --index; MODEL may be keys) or by decoding (of rolls)."),
]
RollIndex = Annotated[Path | None, typer.Option("--index", help="Of --by retrieval: what hfmusic index --rolls made.")]

app = typer.Typer(
    help="Reads music from staff images, hears it in recordings, and trains and measures the models that do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point: what a verb cannot do is one sentence on stderr and exit code 1, never a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        _fail(error)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `hfmusic ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(error: Exception) -> None:
    print(f"hfmusic: {str(error) or type(error).__name__}", file=sys.stderr)
    if os.environ.get("HFMUSIC_TRACEBACK"):
        raise error
    sys.exit(1)


def _print_version(asked: bool) -> None:
    if asked:
        print(hfmusic.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None: ...


@app.command()
def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures of a staff or a page of one melody, PDFs of its pages, recordings, videos, or folders."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A shipped model, a folder, or owner/model on the Hub. Default: r2crnn-omr-semantic for "
            "pictures, crnn-amt for a melody, unet-transcriber for many voices; may be given for each."
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="Comma-separated: semantic, agnostic, musicxml, midi, mei, svg, png, overlay (labels on the picture); "
            "of many voices musicxml, midi, csv, roll (picture over the spectrogram), sound; or all."
        ),
    ] = "musicxml,midi",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for STEM.FORMAT.")] = Path("."),
    voices: Annotated[
        str, typer.Option(help="Of recordings: one (a melody), many, or auto (by what sounds together).")
    ] = "auto",
    instrument: Annotated[
        str | None, typer.Option(help="General MIDI name or 0 to 127: limits the notes to its range, and plays them.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="Where to begin in recordings: seconds or m:ss.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Where to end.")] = None,
    onset_threshold: Annotated[
        float | None, typer.Option(help="0 to 1; higher: fewer notes. Many voices. Default: the model's.")
    ] = None,
    frame_threshold: Annotated[float | None, typer.Option(help="0 to 1; higher: shorter notes. Many voices.")] = None,
    minimum_seconds: Annotated[float | None, typer.Option(help="Shorter notes are left out. Many voices.")] = None,
    tempo_map: Annotated[
        bool, typer.Option("--tempo-map", help="MIDI of many voices follows the beats (else its tempo is even).")
    ] = False,
    method: Annotated[str | None, typer.Option(help="greedy, beam or meter; default: the model's.")] = None,
    tempo: Annotated[
        float | None, typer.Option(help="Quarter notes a minute of the recordings. Default: found out.")
    ] = None,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="A picture and a recording of the same music: one score.")
    ] = False,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Also STEM.boxes.png: the staves that were found on each picture.")
    ] = False,
    by: By = None,
    index: RollIndex = None,
    as_json: Json = False,
) -> None:
    """Read staff images, listen to recordings, and write their scores."""
    from hfmusic.hearing.polyphonic import seconds_of
    from hfmusic.transcribe import transcribe_files

    _quiet()
    options: dict[str, Any] = {"method": method, "tempo": tempo, "fuse": fuse, "boxes": boxes, "voices": voices}
    options |= {"instrument": instrument, "tempo_map": tempo_map, "minimum_seconds": minimum_seconds}
    options |= {"onset_threshold": onset_threshold, "frame_threshold": frame_threshold}
    options |= {name: seconds_of(text) for name, text in (("start", begin), ("end", end)) if text is not None}
    models: Any = model
    if by is not None or index is not None:
        models, options["voices"] = _hearing_by(by, model, index, tempo), "many"
    rows = [
        {"source": str(file)} | _told(result, written, as_json)
        for file, result, written in transcribe_files(files, models, formats=listed(format), out=out, **options)
    ]
    _end(rows, "no pictures and no recordings in what was given", as_json)


def _end(rows: list[dict[str, Any]], none: str, as_json: bool) -> None:
    """JSON of what was done with files, if it is wanted, and exit code 1 where one failed."""
    if not rows:
        raise ValueError(none)
    if as_json:
        print_json(rows)
    if any("error" in row for row in rows):
        raise typer.Exit(1)


def _hearing_by(by: str | None, models: list[str] | None, index: Path | None, tempo: float | None = None) -> Any:
    """What transcribes by the space of audio and rolls."""
    from hfmusic.by_rolls import transcriber_by

    if by is None:
        raise typer.BadParameter("--index goes with --by retrieval")
    if models is not None and len(models) > 1:
        raise typer.BadParameter("--by takes one --model")
    return transcriber_by(by, models[0] if models else None, index=index, tempo=tempo)


def _told(result: Any, written: list[Path], as_json: bool) -> dict[str, Any]:
    """What JSON says of a file that was read, or why it was not; without JSON it is printed at once."""
    files = [str(path) for path in written]
    if isinstance(result, ValueError):
        if not as_json:
            print(f"hfmusic: {result}", file=sys.stderr)
        return {"error": str(result)} | ({"files": files} if files else {})
    if not as_json:
        print(f"{result.source}: {result.summary()} -> {', '.join(path.name for path in written)}")
    return {**result.as_dict(), "files": files}


@app.command()
def render(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of notation: .semantic, .agnostic, .pae, .mei, .musicxml, .abc, .mid; or folders."),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: semantic, agnostic, musicxml, midi, mei, svg, png. Default: png, musicxml and midi."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for STEM.FORMAT.")] = Path("."),
    tempo: Annotated[float | None, typer.Option(help="Quarter notes a minute, for MIDI and MusicXML.")] = None,
    as_json: Json = False,
) -> None:
    """Write notation in other formats, such as a reading whose tokens you corrected."""
    from hfmusic.rendering import render_files

    rows: list[dict[str, Any]] = []
    for file, music, written in render_files(
        files, formats=None if format is None else listed(format), out=out, tempo=tempo
    ):
        if isinstance(music, ValueError):
            rows.append({"source": str(file), "error": str(music)})
            if not as_json:
                print(f"hfmusic: {music}", file=sys.stderr)
            continue
        rows.append({"source": str(file), "elements": len(music.score.elements), "files": [str(p) for p in written]})
        if not as_json:
            print(f"{file}: {len(music.score.elements)} symbols -> {', '.join(path.name for path in written)}")
    _end(rows, "no files of notation in what was given", as_json)


app.command()(index)
app.command()(find)
app.command()(align)
app.command()(build)
app.command()(publish)
app.command()(card)
app.command()(hub)
app.command()(demo)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe that comes with hfmusic, or a YAML file.")],
    resume: Annotated[bool, typer.Option(help="Continue from the last checkpoint.")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="Stop cleanly, with a checkpoint, after this long.")] = None,
    set_: Annotated[list[str], typer.Option("--set", help="key=value, dots into the parts of the recipe.")] = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Train a model by a recipe; writes RUN/model, which from_pretrained() opens."""
    from hfmusic.train import train as verb

    folder = verb(recipe, resume=resume, max_minutes=max_minutes, overrides=set_)
    report({"model": str(folder / "model")}, as_json)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A shipped model, a folder, or owner/model on the Hub.")],
    data: Annotated[
        str,
        typer.Argument(
            help="A dataset folder, or a folder of ID.png (or ID.flac) and ID.semantic pairs; for a transcriber of "
            "many voices: of recordings and their notes (.tsv, .jams, .mid); for an embedding: of sheet_audio."
        ),
    ],
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    image: Annotated[
        str | None, typer.Option(help="Column: image (clean), distorted or audio. Default: what the model takes.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", help="Only N staves, drawn with --seed; of an embedding: candidates.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="greedy, beam or meter; default: the model's.")] = None,
    fuse: Annotated[
        str | None, typer.Option(help="A model that hears: measure MODEL's readings fused with its.")
    ] = None,
    fuse_data: Annotated[
        Path | None, typer.Option(help="With --fuse: the dataset of the sounds, by the same ids.")
    ] = None,
    fit: Annotated[str | None, typer.Option(help="With --fuse: a split to fit the fusion on (validation).")] = None,
    by: By = None,
    index: RollIndex = None,
    seed: Annotated[int, typer.Option(help="Recorded with the numbers.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="metrics.json to write or add to.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model: error rates of symbols, F1 of notes, or ranks of pairs and pieces, into metrics.json."""
    _quiet()
    if by is not None or index is not None:
        from hfmusic.evaluate_notes import evaluate_notes

        hearing, asked = _hearing_by(by, [model], index), {"by": str(by), "index": index}
        rows = evaluate_notes(hearing, data, split=split, n=n, seed=seed, out=out, name=model, asked=asked)
    elif fuse is None:
        from hfmusic.evaluate import evaluate as verb

        rows = verb(model, data, split=split, image=image, n=n, method=method, seed=seed, out=out)
    else:
        from hfmusic.evaluate_fused import evaluate_fused

        if fuse_data is None or n is not None:
            raise typer.BadParameter("--fuse needs --fuse-data, and takes no --n")
        options: dict[str, Any] = {"split": split, "image": image or "image", "method": method, "fit": fit}
        rows = evaluate_fused(model, data, fuse, fuse_data, **options, seed=seed, out=out)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        told = f"{row['dataset']}, {row['split']}, n={row['n']}" + (f", {row['system']}" if "system" in row else "")
        value = f"{row['value']:.4f}" if row["unit"] == "1" else f"{row['value']:.2f} {row['unit']}"
        print(f"{row['metric']} {value} ({told})")


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="A paper: smc2022, r2crnn, les2023, dorfer2017 or dias2018.")],
    table: Annotated[
        str, typer.Option(help="Of smc2022, comma-separated: 2, 3, and beyond (what this project adds to both).")
    ] = "2,3,beyond",
    scale: Annotated[str, typer.Option(help="small (CPU) or paper (Camera-PrIMuS, GPU).")] = "small",
    seeds: Annotated[str, typer.Option(help="Comma-separated numbers.")] = "0,1,2",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder (default: runs/PAPER-SCALE).")] = None,
    images: Annotated[Path | None, typer.Option(help="Dataset of pictures, of hfmusic build primus.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Dataset of the same staves played, of primus_audio.")] = None,
    maps: Annotated[Path | None, typer.Option(help="Of les2023: dataset of hfmusic build maps.")] = None,
    guitarset: Annotated[Path | None, typer.Option(help="Of les2023: dataset of hfmusic build guitarset.")] = None,
    synthesized: Annotated[Path | None, typer.Option(help="Of les2023: of build synthesized_instruments.")] = None,
    sheets: Annotated[Path | None, typer.Option(help="Of dorfer2017: dataset of hfmusic build sheet_audio.")] = None,
    test_sheets: Annotated[Path | None, typer.Option(help="Of dorfer2017: another to test on.")] = None,
    rolls: Annotated[Path | None, typer.Option(help="Of dias2018: dataset of hfmusic build pianoroll_audio.")] = None,
    quiet_rolls: Annotated[Path | None, typer.Option(help="Of dias2018: the same, with --velocity one.")] = None,
    protocol: Annotated[
        str, typer.Option(help="Of les2023: leak-free, or paper (compositions of the tests are trained on).")
    ] = "leak-free",
    cells: Annotated[str, typer.Option(help="Comma-separated names or patterns of cells (a2i-*); default: all.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cells and the time they should take.")] = False,
    as_json: Json = False,
) -> None:
    """Train and measure every cell of a paper's tables; a killed run goes on. Writes results.json, .md and .png."""
    from hfmusic.reproduce import reproduce as verb

    _quiet()
    summary = verb(
        paper,
        tables=listed(table),
        scale=scale,
        seeds=_numbers(seeds, "seeds"),
        out=out,
        images=images,
        audio=audio,
        recordings={"maps": maps, "guitarset": guitarset, "synthesized": synthesized},
        sheets=sheets,
        test_sheets=test_sheets,
        rolls={"loud": rolls, "quiet": quiet_rolls},
        protocol=protocol,
        cells=listed(cells),
        dry_run=dry_run,
    )
    if as_json:
        print_json(summary)
    elif dry_run:
        for row in summary["cells"]:
            minutes = "?" if row["minutes"] is None else row["minutes"]
            state = "done" if row["done"] else f"{minutes} minutes"
            print(f"seed {row['seed']}  {row['cell']:16}{row['steps']:>8} steps  {state}")
        print(f"{len(summary['cells'])} cells, {summary['minutes'] or '?'} minutes to go on one CPU core")
    else:
        for finding in summary["findings"]:
            print(f"{finding['verdict']}: {finding['claim']}" + (f" ({finding['numbers']})" * bool(finding["numbers"])))


def _numbers(text: str, name: str) -> list[int]:
    try:
        return [int(part) for part in listed(text)]
    except ValueError:
        raise ValueError(f"{name} must be numbers separated by commas, got {text!r}") from None


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A shipped model, a folder, or owner/model on the Hub.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder that becomes the model with its network. Default: the model's own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a model's network as ONNX beside its weights: ONNX Runtime then reads with it, in less time."""
    from hfmusic.export import export as verb

    _quiet()
    report(verb(model, out), as_json)


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that come with hfmusic."""
    from hfmusic.hub import shipped_models

    names = shipped_models()
    if as_json:
        print_json(names)
    else:
        print("\n".join(names))


def _quiet() -> None:
    """No progress bars, notices and retries of the libraries between a command's own lines."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    import huggingface_hub.utils
    from transformers.utils import logging

    huggingface_hub.utils.logging.set_verbosity_error()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
