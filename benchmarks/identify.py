"""What song is this? 20 seconds of performances, looked up in a folder of MIDI files.

    python -m benchmarks.identify MIDI --font FONT [--index my.index] [--n 120] [--tempo 0.1] [--seconds 20] \
        [--recordings dist/maps] [--model chroma] [--output benchmarks/identify.md]

A performance is a file of the folder from a random moment on, faster or slower by up to `--tempo` (drawn for each), as
MIDI and played by a font; with `--recordings` also the recordings of real pianos whose works are in the folder. Right
is a file of the same work (`hfmusic.data.works.work_of`). The index is made where there is none.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

import hfmusic
from hfmusic.data.recordings import read_recordings
from hfmusic.data.works import work_of
from hfmusic.embed_pairs import evenly
from hfmusic.embedding import embedder
from hfmusic.index import index
from hfmusic.models.audio_reading import open_sound
from hfmusic.render.synthesize import Synthesizer
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieve import Finding, find
from hfmusic.scores import read_played, score_files
from hfmusic.symbolic.performance import PerformedNote, write_performance

RATE = 22050
Query = tuple[str, str, np.ndarray | Path]  # kind, the file that it is of, sound or MIDI


def excerpt(path: Path, options: argparse.Namespace, rng: np.random.Generator) -> list[PerformedNote]:
    """Some seconds of a performance, from 0 on."""
    pace = rng.uniform(1 - options.tempo, 1 + options.tempo)
    notes = [
        note._replace(onset_seconds=note[0] * pace, offset_seconds=note[1] * pace) for note in read_played(path).notes
    ]
    start = rng.uniform(0, max(0.0, notes[-1].onset_seconds - options.seconds))
    inside = [note for note in notes if start <= note.onset_seconds < start + options.seconds]
    return [
        note._replace(
            onset_seconds=note.onset_seconds - start,
            offset_seconds=min(note.offset_seconds - start, options.seconds),
        )
        for note in inside
    ]  # fmt: skip


def played(files: list[Path], options: argparse.Namespace) -> Iterator[Query]:
    """Performances as MIDI and as sound."""
    with Synthesizer(options.font) as synthesizer, tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(files):
            notes = excerpt(path, options, np.random.default_rng([options.seed, number]))
            midi = write_performance(notes)
            file = Path(folder) / "query.mid"
            file.write_bytes(midi)
            yield "MIDI", path.stem, file
            yield (
                f"played by {Path(options.font).name}",
                path.stem,
                synthesizer.play(midi)[: round(options.seconds * RATE)],
            )


def recorded(works: set[str], options: argparse.Namespace) -> Iterator[Query]:
    """Real recordings of the works that are in the index."""
    rng = np.random.default_rng(options.seed)
    for recording in read_recordings(options.recordings, "test"):
        if work_of(recording.id) in works:
            sound = open_sound(recording.audio, sampling_rate=RATE, name=recording.id)
            start = round(rng.uniform(0, max(0, len(sound) - options.seconds * RATE)))
            yield "recordings of pianos", recording.id, sound[start : start + round(options.seconds * RATE)]


def rank_of(finding: Finding, wanted: str) -> int:
    """Of the first piece of the right work; 0: not found."""
    names = [work_of(Path(one.piece.name).stem) for one in finding.pieces]
    return names.index(work_of(wanted)) + 1 if work_of(wanted) in names else 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("midi", type=Path)
    parser.add_argument("--font", required=True)
    parser.add_argument("--index", type=Path, default=Path("midi.index"))
    parser.add_argument("--model", default="chroma")
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--tempo", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    text = report(options)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def report(options: argparse.Namespace) -> str:
    """The table, in Markdown."""
    if not options.index.exists():
        index([options.midi], out=options.index, model=options.model)
    opened, own = SnippetIndex.open(options.index), embedder(options.model)
    files = [path for _, path in score_files([options.midi])]
    known = {work_of(Path(piece.name).stem) for piece in opened.pieces}
    ranks: dict[str, list[int]] = {}
    sure: dict[str, list[bool]] = {}
    asked = queries([files[place] for place in evenly(len(files), options.n)], known, options)
    for kind, wanted, music in tqdm(asked, desc="queries"):
        finding = find(music, opened, model=own)
        ranks.setdefault(kind, []).append(rank_of(finding, wanted))
        sure.setdefault(kind, []).append(finding.sure)
        if ranks[kind][-1] != 1:
            print(f"{kind}: {wanted} at rank {ranks[kind][-1]}, before it {finding.pieces[0].told()}", flush=True)
    command = f"python -m benchmarks.identify {options.midi.name} --font {Path(options.font).name} --n {options.n}"
    command += f" --recordings {options.recordings.name}" if options.recordings else ""
    lines = [
        "# Identification from 20 seconds: what song is this?\n",
        f"`{command} --tempo {options.tempo} --seconds {options.seconds:g} --model {own.name}`; "
        f"{datetime.now(UTC).date().isoformat()}, hfmusic {hfmusic.__version__}.",
        f"{len(opened.pieces)} MIDI files of {len(known)} works in the index, {len(opened):,} vectors, "
        f"{opened.size_bytes() / 1e6:.1f} MB. Chance of rank 1: {100 / len(known):.1f} %.",
        "",
        "| queries | number | at rank 1 | among 5 | called sure |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind, found in ranks.items():
        shares = [
            np.mean([rank == 1 for rank in found]),
            np.mean([1 <= rank <= 5 for rank in found]),
            np.mean(sure[kind]),
        ]
        lines.append(f"| {kind} | {len(found)} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    return "\n".join(lines) + "\n"


def queries(files: list[Path], known: set[str], options: argparse.Namespace) -> Iterator[Query]:
    """Of all kinds."""
    yield from played(files, options)
    if options.recordings:
        yield from recorded(known, options)


if __name__ == "__main__":
    main()
