"""How examples/staves were made: staves of the test split, which no shipped model was trained on, and a genuine one.

hfmusic build primus --sources rism --variations 8 --generated 13000 --seed 0 --out dist/primus-omr
python examples/make_staves.py dist/primus-omr
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from datasets import Image, load_dataset

HERE = Path(__file__).parent
# name -> (id, column)
CHOSEN = {
    "engraved": ("rism-400108204-1_6_1", "image"),
    "photograph": ("rism-400006306-1_1_1", "distorted"),
    "photograph_in_bad_light": ("rism-403001181-1_1_1", "distorted"),
    "photograph_small": ("rism-402004465-1_2_1", "distorted"),
    "scan_warped": ("rism-400100825-1_1_1", "distorted"),
}


def main(dataset: str) -> None:
    rows = load_dataset(dataset, split="test")
    for column in ("image", "distorted"):
        rows = rows.cast_column(column, Image(decode=False))
    by_id = {row["id"]: row for row in rows}
    for name, (identifier, column) in CHOSEN.items():
        data = by_id[identifier][column]["bytes"]
        suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
        (HERE / "staves" / f"{name}{suffix}").write_bytes(data)
    genuine = HERE.parent / "tests" / "golden" / "primus" / "000051652-1_2_1.png"
    shutil.copyfile(genuine, HERE / "staves" / "primus_000051652-1_2_1.png")


if __name__ == "__main__":
    main(sys.argv[1])
