"""Frames that staves give at each stride, and frames that CTC needs to spell them.

    python -m benchmarks.ctc_frames dist/primus-rism pairs/ [--output benchmarks/ctc_frames.md]

Each argument is a dataset folder of Parquet files or a folder of pairs (`N.png` and `N.semantic`). Two geometries: the
whole picture at 128 rows, as paper 002 has it, and the straightened staff of 7 rows a space, as the shipped models have
it. CTC needs a frame for each symbol and one more between equal neighbours.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.collate import frames_needed
from hfmusic.data.staves import read_staves
from hfmusic.files import write_atomic
from hfmusic.models.image_processing_staff import StaffImageProcessor
from hfmusic.models.image_reading import decode_picture
from hfmusic.symbolic.vocabulary import load_vocabulary

STRIDES = (2, 4, 8, 16)
GEOMETRIES = {
    "picture, 128 rows": {"mode": "height", "height": 128},
    "staff, 96 rows": {"mode": "staff", "height": 96, "staff_space": 7.0},
}


def kinds(folder: Path) -> Iterator[tuple[str, str]]:
    """What of a folder is measured: columns of pictures and encodings of labels."""
    if any(folder.rglob("*.parquet")):
        yield from ((image, encoding) for image in ("image", "distorted") for encoding in ("semantic", "agnostic"))
    else:
        yield "image", "semantic"


def rows(folder: Path, image: str, encoding: str) -> Iterator[str]:
    """Lines of the table: one a geometry and stride."""
    vocabulary = load_vocabulary(encoding)
    staves = list(read_staves(folder, split="test", image=image, encoding=encoding))
    needed = np.array([frames_needed([vocabulary.id_of(token) for token in stave.text.split()]) for stave in staves])
    for geometry, options in GEOMETRIES.items():
        processor = StaffImageProcessor(**options)
        pictures = tqdm(staves, desc=f"{folder.name} {image} {encoding} {geometry}")
        widths = np.array([_width(processor, stave.encoded) for stave in pictures])
        seen = widths > 0
        for stride in STRIDES:
            spare = (widths[seen] // stride) / needed[seen]
            least, tenth, median = spare.min(), np.quantile(spare, 0.1), np.median(spare)
            yield (
                f"| {folder.name} ({seen.sum()}) | {image} | {encoding} | {geometry} | {stride} "
                f"| {100 * np.mean(spare >= 1):.1f} % | {least:.2f} | {tenth:.2f} | {median:.2f} |"
            )


def _width(processor: StaffImageProcessor, encoded: bytes) -> int:
    """Columns of a staff; 0 where none is found."""
    try:
        return processor.features(decode_picture(encoded)).values.shape[1]
    except ValueError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    lines = [
        "# Frames for CTC",
        "",
        f"`python -m benchmarks.ctc_frames {' '.join(folder.name for folder in arguments.folders)}`: test staves. "
        "A feasible staff has a frame for each symbol and one between equal neighbours; ratios: frames had to needed.",
        "",
        "| staves | picture | labels | geometry | stride | feasible | least | 10 % below | median |",
        "|---|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for folder in arguments.folders:
        for image, encoding in kinds(folder):
            lines += list(rows(folder, image, encoding))
    report = "\n".join(lines) + "\n"
    print(report)
    if arguments.output is not None:
        write_atomic(arguments.output, report)


if __name__ == "__main__":
    main()
