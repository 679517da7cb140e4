"""Staves played per second, and how many times faster than they last, against the plain way.

    python -m benchmarks.synthesize [--staves 60] [--output benchmarks/synthesize.md]

The plain way is what one writes first: the `fluidsynth` command for each MIDI file, with the whole FluidR3_GM, then
soundfile to read its WAV and write FLAC. All ways play the same RISM incipits at 22,050 Hz, staves turn about, so that
a busy machine slows all alike. Two clocks: CPU seconds, those of started processes included, and the seconds one waits
for a file, in which the command also reads its font and sleeps. Debian's packages fluidsynth and fluid-soundfont-gm are
what the plain way needs.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from hfmusic.data.primus_audio_rows import PrimusAudioRows, Voice, flac_bytes, last_rest_seconds, score_seconds
from hfmusic.data.primus_rows import pack_score
from hfmusic.data.shards import Row
from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer
from hfmusic.symbolic.midi import write_midi

RATIO_WANTED = 20
REAL_TIME_WANTED = 100
_WHOLE_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")


@dataclass
class Way:
    """CPU seconds, and seconds on the clock, of one way of making a FLAC file of a MIDI file."""

    name: str
    run: Callable[[Row], bytes]
    cpu: float = 0.0
    clock: float = 0.0

    def timed(self, item: Row) -> None:
        before, begun = _cpu_seconds(), time.perf_counter()
        self.run(item)
        self.cpu += _cpu_seconds() - before
        self.clock += time.perf_counter() - begun


def _cpu_seconds() -> float:
    """Of this process, all its threads, and the processes it started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def play_plainly(item: Row, font: Path, folder: Path) -> bytes:
    """The command with its defaults, and a mono FLAC file of the WAV it writes."""
    midi, wav, flac = (folder / f"one.{ending}" for ending in ("mid", "wav", "flac"))
    midi.write_bytes(item["midi"])
    command = ["fluidsynth", "-ni", "-q", "-F", str(wav), "-r", str(SAMPLING_RATE), str(font), str(midi)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sound, rate = soundfile.read(wav)
    soundfile.write(flac, sound.mean(axis=1), rate, subtype="PCM_16")
    return flac.read_bytes()


def _items(count: int) -> list[Row]:
    from hfmusic.data.corpora import rism_tunes  # here: the process whose memory is measured does not build data

    items = []
    for tune in itertools.islice(rism_tunes(), count):
        items.append(
            {
                **{"id": tune.id, "work": tune.work, "source": "rism", "split": "train", "semantic": ""},
                "score": pack_score(tune.score),
                "midi": write_midi(tune.score),
                "seconds": score_seconds(tune.score),
                "last_rest": last_rest_seconds(tune.score),
            }
        )
    return items


def _ways(font: Path, folder: Path) -> list[Way]:
    whole, shipped = Synthesizer(font), Synthesizer(shipped_font())
    dry = Synthesizer(shipped_font(), reverb=False, chorus=False)
    voices = (Voice(shipped_font(), "FluidR3_GM", 0),)
    rows, expressive = PrimusAudioRows(0, voices), PrimusAudioRows(0, voices, expressive=True)
    return [
        Way("plain: the command for each file, whole FluidR3_GM", lambda item: play_plainly(item, font, folder)),
        Way("hfmusic, whole FluidR3_GM", lambda i: flac_bytes(whole.play(i["midi"], last_rest=i["last_rest"]))),
        Way("hfmusic, shipped piano", lambda i: flac_bytes(shipped.play(i["midi"], last_rest=i["last_rest"]))),
        Way("hfmusic, shipped piano, dry", lambda i: flac_bytes(dry.play(i["midi"], last_rest=i["last_rest"]))),
        Way("hfmusic, whole rows of the dataset", lambda item: rows(item)["audio"]["bytes"]),
        Way("hfmusic, whole rows, expressive", lambda item: expressive(item)["audio"]["bytes"]),
    ]


def loading_seconds(font: Path) -> float:
    """CPU seconds that a font takes to load in a fresh process: FluidSynth keeps the samples of fonts it has open."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_load, (font,))


def _load(font: Path) -> float:
    before = time.process_time()
    Synthesizer(font).close()
    return time.process_time() - before


def peak_mebibytes(items: list[Row], staves: int) -> float:
    """Peak memory of a fresh process that makes so many rows."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_play_many, (items, staves))


def _play_many(items: list[Row], staves: int) -> float:
    rows = PrimusAudioRows(0, (Voice(shipped_font(), "FluidR3_GM", 0),))
    for item in itertools.islice(itertools.cycle(items), staves):
        rows(item)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(staves: int, font: Path) -> str:
    """Runs all and returns the table of the committed result.

    Raises:
        ValueError: no `fluidsynth` command, or no font.
    """
    if not shutil.which("fluidsynth") or not font.is_file():
        raise ValueError("the plain way needs: apt-get install fluidsynth fluid-soundfont-gm")
    items = _items(staves)
    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(font, Path(folder))
        for way in ways:  # loading is not timed
            way.run(items[0])
        for item in items:
            for way in ways:
                way.timed(item)
    seconds = float(np.sum([item["seconds"] for item in items]))  # on paper: tails differ between the ways
    plain = ways[0]
    lines = [
        "# Staves played",
        "",
        f"`python -m benchmarks.synthesize --staves {staves}`: {staves} RISM incipits, {seconds:.0f} s of music on "
        f"paper (120 quarters a minute), Python {platform.python_version()}, {platform.machine()}, one core; all ways "
        "in turn, from MIDI bytes to FLAC bytes at 22,050 Hz, with FluidSynth's reverb and chorus but for the dry one.",
        "",
        "| way | CPU, ms a staff | clock, ms a staff | times real time (CPU) | CPU ratio | clock ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way in ways:
        cells = [
            f"{1000 * way.cpu / staves:.1f}",
            f"{1000 * way.clock / staves:.1f}",
            f"{seconds / way.cpu:.0f}",
            f"{plain.cpu / way.cpu:.1f}x",
            f"{plain.clock / way.clock:.1f}x",
        ]
        lines.append(f"| {way.name} | " + " | ".join(cells) + " |")
    rows = ways[4]
    few, many = peak_mebibytes(items, staves), peak_mebibytes(items, 10 * staves)
    lines += [
        "",
        f"A row of the dataset against the plain way: **{plain.clock / rows.clock:.1f}x** by the clock, "
        f"{plain.cpu / rows.cpu:.1f}x in CPU time (wanted: {RATIO_WANTED}x); "
        f"**{seconds / rows.cpu:.0f} times real time** on a core (wanted: {REAL_TIME_WANTED}).",
        "What is left is FluidSynth's own work: its reverb, its voices and FLAC, in this order.",
        f"Loading, once a process: whole font {loading_seconds(font):.2f} s, shipped piano "
        f"{loading_seconds(shipped_font()):.2f} s of CPU time.",
        f"Peak memory of a process: {few:.0f} MiB after {staves} rows, {many:.0f} MiB after {10 * staves}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--staves", type=int, default=60)
    parser.add_argument("--font", type=Path, default=_WHOLE_FONT)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = report(options.staves, options.font)
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
