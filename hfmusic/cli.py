"""`hfmusic <verb>`: parses, calls the verb, prints. Exit code 0, 1 (the work failed) or 2 (bad usage).

Heavy imports sit inside the commands: `hfmusic --help` answers without torch.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import hfmusic

app = typer.Typer(
    help="Reads music from staff images, hears it in recordings, and trains and measures the models that do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print what a program would want, as JSON.")]


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
            help="Pictures of a staff or a page of one melody, PDFs of its pages, recordings of one, or folders."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A shipped model, a folder, or owner/model on the Hub. Default: crnn-omr for pictures, crnn-amt for "
            "recordings; may be given for each."
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="Comma-separated: semantic, agnostic, musicxml, midi, mei, svg, png, overlay (labels on the picture)."
        ),
    ] = "musicxml,midi",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for STEM.FORMAT.")] = Path("."),
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
    as_json: Json = False,
) -> None:
    """Read staff images, listen to recordings, and write their scores."""
    from hfmusic.transcribe import transcribe_files

    _quiet()
    formats = [name.strip() for name in format.split(",") if name.strip()]
    failed = False
    rows: list[dict[str, Any]] = []
    options: dict[str, Any] = {"method": method, "tempo": tempo, "fuse": fuse, "boxes": boxes}
    results = transcribe_files(files, model, formats=formats, out=out, **options)
    for file, result, written in results:
        if isinstance(result, ValueError):
            failed = True
            drawn = {"files": [str(path) for path in written]} if written else {}
            rows.append({"source": str(file), "error": str(result), **drawn})
            if not as_json:
                print(f"hfmusic: {result}", file=sys.stderr)
            continue
        rows.append({**result.as_dict(), "confidence": round(result.confidence, 4), "files": [str(p) for p in written]})
        if not as_json:
            names = ", ".join(path.name for path in written)
            heard = "" if result.tempo is None else f", {result.tempo:.0f} quarter notes a minute"
            print(
                f"{result.source}: {len(result.tokens)} symbols, {100 * result.confidence:.0f} % sure{heard} -> {names}"
            )
    if not rows:
        raise ValueError("no pictures and no recordings in what was given")
    if as_json:
        _print_json(rows)
    if failed:
        raise typer.Exit(1)


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
    for file, music, written in render_files(files, formats=_names(format), out=out, tempo=tempo):
        if isinstance(music, ValueError):
            rows.append({"source": str(file), "error": str(music)})
            if not as_json:
                print(f"hfmusic: {music}", file=sys.stderr)
            continue
        rows.append({"source": str(file), "elements": len(music.score.elements), "files": [str(p) for p in written]})
        if not as_json:
            print(f"{file}: {len(music.score.elements)} symbols -> {', '.join(path.name for path in written)}")
    if not rows:
        raise ValueError("no files of notation in what was given")
    if as_json:
        _print_json(rows)
    if any("error" in row for row in rows):
        raise typer.Exit(1)


@app.command()
def build(
    dataset: Annotated[str, typer.Argument(help="Name of a dataset: primus (pictures) or primus_audio (sound).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder that load_dataset() will open.")],
    n: Annotated[int | None, typer.Option("--n", help="At most this many staves (default: all there are).")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with the real PrIMuS or Camera-PrIMuS, or with OpenScore songs.")
    ] = None,
    sources: Annotated[
        str | None, typer.Option(help="Comma-separated: rism, music21, openscore, primus (default: what is there).")
    ] = None,
    variations: Annotated[int, typer.Option(help="Variations of each training tune.")] = 0,
    generated: Annotated[int, typer.Option(help="Generated training tunes to add.")] = 0,
    encodings: Annotated[
        str, typer.Option(help="Comma-separated: tunes must be in these of PrIMuS's vocabularies.")
    ] = "semantic,agnostic",
    splits: Annotated[str, typer.Option(help="Of the real PrIMuS: official, or work (by source work).")] = "official",
    distorted: Annotated[
        bool | None, typer.Option("--distorted/--no-distorted", help="primus: the distorted picture of each staff too.")
    ] = None,
    fonts: Annotated[
        str | None,
        typer.Option(help="primus_audio: comma-separated FONT or FONT:PROGRAM (file, folder, name), one a row."),
    ] = None,
    test_fonts: Annotated[str | None, typer.Option(help="primus_audio: other fonts for the test split.")] = None,
    paper: Annotated[
        bool | None, typer.Option("--paper", help="primus_audio: as the paper, one piano, plainly played, curated.")
    ] = None,
    curate: Annotated[
        bool | None, typer.Option("--curate", help="primus_audio: without the staves that have a multirest.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option(help="primus_audio: without staves that last longer.")] = None,
    expressive: Annotated[
        bool | None, typer.Option("--expressive", help="primus_audio: training staves are played with expression.")
    ] = None,
    gain: Annotated[float | None, typer.Option(help="primus_audio: FluidSynth's volume (default: 0.2).")] = None,
    num_proc: Annotated[int, typer.Option(help="Worker processes.")] = 2,
    as_json: Json = False,
) -> None:
    """Make a dataset: engrave or play, write sharded Parquet with a card. A killed build continues."""
    from hfmusic.build import build as verb

    special = {
        "distorted": distorted,
        "fonts": _names(fonts),
        "test_fonts": _names(test_fonts),
        "paper": paper,
        "curate": curate,
        "max_seconds": max_seconds,
        "expressive": expressive,
        "gain": gain,
    }
    summary = verb(
        dataset,
        out,
        n=n,
        seed=seed,
        data_dir=data_dir,
        sources=_names(sources),
        variations=variations,
        generated=generated,
        encodings=_names(encodings),
        splits=splits,
        num_proc=num_proc,
        **{name: value for name, value in special.items() if value is not None},
    )
    _report(summary, as_json)


def _names(text: str | None) -> list[str] | None:
    """The names of a comma-separated option."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


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
    _report({"model": str(folder / "model")}, as_json)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A shipped model, a folder, or owner/model on the Hub.")],
    data: Annotated[
        str, typer.Argument(help="A dataset folder, or a folder of ID.png (or ID.flac) and ID.semantic pairs.")
    ],
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    image: Annotated[
        str | None, typer.Option(help="Column: image (clean), distorted or audio. Default: what the model takes.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Only N staves, drawn with --seed.")] = None,
    method: Annotated[str | None, typer.Option(help="greedy, beam or meter; default: the model's.")] = None,
    fuse: Annotated[
        str | None, typer.Option(help="A model that hears: measure MODEL's readings fused with its.")
    ] = None,
    fuse_data: Annotated[
        Path | None, typer.Option(help="With --fuse: the dataset of the sounds, by the same ids.")
    ] = None,
    fit: Annotated[str | None, typer.Option(help="With --fuse: a split to fit the fusion on (validation).")] = None,
    seed: Annotated[int, typer.Option(help="Recorded with the numbers.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="metrics.json to write or add to.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model: symbol error rate and sequence error rate, into metrics.json."""
    _quiet()
    if fuse is None:
        from hfmusic.evaluate import evaluate as verb

        rows = verb(model, data, split=split, image=image, n=n, method=method, seed=seed, out=out)
    else:
        from hfmusic.evaluate_fused import evaluate_fused

        if fuse_data is None or n is not None:
            raise typer.BadParameter("--fuse needs --fuse-data, and takes no --n")
        options: dict[str, Any] = {"split": split, "image": image or "image", "method": method, "fit": fit}
        rows = evaluate_fused(model, data, fuse, fuse_data, **options, seed=seed, out=out)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        told = f"{row['dataset']}, {row['split']}, n={row['n']}" + (f", {row['system']}" if "system" in row else "")
        print(f"{row['metric']} {row['value']:.2f} {row['unit']} ({told})")


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="A paper: smc2022 or r2crnn.")],
    table: Annotated[
        str, typer.Option(help="Of smc2022, comma-separated: 2, 3, and beyond (what this project adds to both).")
    ] = "2,3,beyond",
    scale: Annotated[str, typer.Option(help="small (CPU) or paper (Camera-PrIMuS, GPU).")] = "small",
    seeds: Annotated[str, typer.Option(help="Comma-separated numbers.")] = "0,1,2",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder (default: runs/PAPER-SCALE).")] = None,
    images: Annotated[Path | None, typer.Option(help="Dataset of pictures, of hfmusic build primus.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Dataset of the same staves played, of primus_audio.")] = None,
    cells: Annotated[str, typer.Option(help="Comma-separated names or patterns of cells (a2i-*); default: all.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cells and the time they should take.")] = False,
    as_json: Json = False,
) -> None:
    """Train and measure every cell of a paper's tables; a killed run goes on. Writes results.json, .md and .png."""
    from hfmusic.reproduce import reproduce as verb

    _quiet()
    summary = verb(
        paper,
        tables=_listed(table),
        scale=scale,
        seeds=_numbers(seeds, "seeds"),
        out=out,
        images=images,
        audio=audio,
        cells=_listed(cells),
        dry_run=dry_run,
    )
    if as_json:
        _print_json(summary)
    elif dry_run:
        for row in summary["cells"]:
            minutes = "?" if row["minutes"] is None else row["minutes"]
            state = "done" if row["done"] else f"{minutes} minutes"
            print(f"seed {row['seed']}  {row['cell']:16}{row['steps']:>8} steps  {state}")
        print(f"{len(summary['cells'])} cells, {summary['minutes'] or '?'} minutes to go on one CPU core")
    else:
        for finding in summary["findings"]:
            print(f"{finding['verdict']}: {finding['claim']}" + (f" ({finding['numbers']})" * bool(finding["numbers"])))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str, name: str) -> list[int]:
    try:
        return [int(part) for part in _listed(text)]
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
    _report(verb(model, out), as_json)


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that come with hfmusic."""
    from hfmusic.hub import shipped_models

    names = shipped_models()
    if as_json:
        _print_json(names)
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


def _report(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(summary)
    else:
        print("\n".join(f"{key}: {value}" for key, value in summary.items()))


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
