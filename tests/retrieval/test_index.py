"""The index on disk: adding, removing, searching, kills, damage, other models; and FAISS against brute force."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hfmusic.retrieval import store
from hfmusic.retrieval.index import PLACE, NewPiece, Piece, SnippetIndex, change_index
from hfmusic.retrieval.neighbours import InvertedFile, exact, noisy, recall

SIZE = 16


def units(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, SIZE)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def piece(name: str, count: int = 30, seed: int = 0) -> NewPiece:
    rng = np.random.default_rng([seed, *name.encode()])
    places = np.zeros(count, PLACE)
    places["quarter"], places["x"] = np.arange(count), 10 * np.arange(count)
    measures = tuple((str(number + 1), 4.0 * number) for number in range(count // 4))
    return NewPiece(Piece(name, title=name.title(), measures=measures), units(rng, count), places)


def made(folder: Path, *names: str, **options: object) -> SnippetIndex:
    return change_index(folder, map(piece, names), model="m", fingerprint="f1", **options)  # type: ignore[arg-type]


def test_what_was_added_is_found(tmp_path: Path) -> None:
    index = made(tmp_path / "my.index", "a", "b", "c")
    vectors = piece("b").vectors
    similarities, rows = index.search(vectors[[3, 9]], k=4)
    assert similarities[:, 0] == pytest.approx(1, abs=1e-3)
    assert [index.pieces[n].name for n in index.places["piece"][rows[:, 0]]] == ["b", "b"]
    assert index.places["quarter"][rows[:, 0]].tolist() == [3, 9]
    assert index.pieces[1].measure_at(9) == "3" and index.pieces[1].title == "B"


def test_more_neighbours_than_vectors(tmp_path: Path) -> None:
    index = change_index(tmp_path / "i", [piece("a", 3)], model="m", fingerprint="f")
    similarities, rows = index.search(piece("a", 3).vectors[:1], k=5)
    assert sorted(rows[0, :3].tolist()) == [0, 1, 2] and rows[0, 3:].tolist() == [-1, -1]
    assert np.isneginf(similarities[0, 3:]).all()


@pytest.mark.parametrize("exact_up_to", [10_000, 50])
def test_pieces_come_and_go(tmp_path: Path, exact_up_to: int) -> None:
    """Small enough to be searched whole, and in cells."""
    folder = tmp_path / "i"
    made(folder, "a", "b", exact_up_to=exact_up_to)
    made(folder, "c", exact_up_to=exact_up_to)
    index = change_index(folder, [piece("d"), piece("b", 20, seed=1)], remove=["a"], exact_up_to=exact_up_to)
    assert [one.name for one in index.pieces] == ["c", "d", "b"]
    assert len(index) == 80 and len(set(index.places["id"].tolist())) == 80
    assert (index.inverted is not None) == (exact_up_to == 50)
    for number, one in enumerate([piece("c"), piece("d"), piece("b", 20, seed=1)]):
        rows = index.search(one.vectors, k=1)[1][:, 0]
        right = (index.places["piece"][rows] == number) & (index.places["quarter"][rows] == one.places["quarter"])
        assert right.mean() > 0.9
    gone = index.search(piece("a").vectors, k=1)[0]
    assert gone.max() < 0.95


def test_rows_of_pieces_are_kept_as_long_as_they(tmp_path: Path) -> None:
    from hfmusic.render.engrave import png_bytes

    row = np.full((20, 50), 255, np.uint8)
    row[5:9, 3:8] = 0
    one = piece("a")
    folder = tmp_path / "i"
    index = change_index(folder, [NewPiece(one.piece, one.vectors, one.places, png_bytes(row)), piece("b")], model="m")
    kept = index.row_picture(index.pieces[0])
    assert kept is not None and np.array_equal(kept, row)
    assert index.row_picture(index.pieces[1]) is None
    change_index(folder, remove=["a"])
    assert not list((folder / "rows").iterdir())


def test_an_index_of_another_model_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "i", "a")
    with pytest.raises(ValueError, match=r"an index of the model m \(f1\), not of other \(f2\)"):
        change_index(tmp_path / "i", [piece("b")], model="other", fingerprint="f2")


def test_what_cannot_be_changed_gets_a_sentence(tmp_path: Path) -> None:
    made(tmp_path / "i", "a")
    with pytest.raises(ValueError, match="no piece 'z' in this index of 1"):
        change_index(tmp_path / "i", remove=["z"])
    with pytest.raises(ValueError, match="one piece at least"):
        change_index(tmp_path / "i", remove=["a"])
    with pytest.raises(ValueError, match="vectors of 16, got queries of shape"):
        SnippetIndex.open(tmp_path / "i").search(np.zeros((2, 5)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match="no index; give another name"):
        made(tmp_path / "photos", "a")
    with store.only_writer(tmp_path / "i"), pytest.raises(ValueError, match="another process is changing"):
        change_index(tmp_path / "i", remove=["a"])


def test_what_is_no_index_or_a_damaged_one_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such index; make one"):
        SnippetIndex.open(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="a file, not an index"):
        SnippetIndex.open(tmp_path / "file")
    with pytest.raises(ValueError, match=r"it has no index\.json"):
        SnippetIndex.open(tmp_path)
    folder = tmp_path / "i"
    made(folder, "a")
    manifest = folder / "index.json"
    whole = manifest.read_text()
    for text, wanted in (
        ("{", "cannot be read"),
        (whole.replace('"format": 1', '"format": 9'), "format 9"),
        (json.dumps({"format": 1}), "names no files"),
    ):
        manifest.write_text(text)
        with pytest.raises(ValueError, match=wanted):
            SnippetIndex.open(folder)
    manifest.write_text(whole)
    data = folder / json.loads(whole)["files"]["vectors.npy"]["file"]
    content = data.read_bytes()
    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="a damaged index, its file data-.* is not what was written"):
        SnippetIndex.open(folder)
    data.unlink()
    with pytest.raises(ValueError, match="a damaged index, its file data-.* is missing"):
        SnippetIndex.open(folder)


KILLED = """
import os, sys
sys.path[:0] = [{tests!r}]
import hfmusic.files, hfmusic.retrieval.store as store
from test_index import change_index, made, piece
from pathlib import Path
left = int(sys.argv[2])
replace = os.replace
def dying(source, target):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    replace(source, target)
os.replace = dying
change_index(Path(sys.argv[1]), [piece("b")], remove=["a"])
"""


def test_a_kill_leaves_the_old_index_or_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "i"
    script = KILLED.format(tests=str(Path(__file__).parent))
    made(folder, "a")
    seen = []
    for renames in range(6):
        done = subprocess.run([sys.executable, "-c", script, folder, str(renames)], env=os.environ, timeout=120)
        seen.append(([one.name for one in SnippetIndex.open(folder).pieces], done.returncode))
        if done.returncode == 0:
            break
    assert seen == [(["a"], 9)] * 4 + [(["b"], 0)]
    named = {entry["file"] for entry in json.loads((folder / "index.json").read_text())["files"].values()}
    assert {path.name for path in folder.iterdir()} == {*named, "index.json", ".lock"}  # the remains were swept


def test_an_index_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "i"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / "data-0123.npy").write_bytes(b"half")
    assert len(made(folder, "a")) == 30
    assert not (folder / "data-0123.npy").exists()


def test_exact_search_is_brute_force() -> None:
    rng = np.random.default_rng(0)
    vectors, queries = units(rng, 500), units(rng, 20)
    similarities, rows = exact(vectors.astype(np.float16), queries, 5)
    products = queries @ vectors.astype(np.float16).astype(np.float32).T
    wanted = np.argsort(-products, axis=1)[:, :5]
    assert recall(rows, wanted) > 0.99
    assert similarities == pytest.approx(np.take_along_axis(products, rows, axis=1), abs=1e-5)


def test_cells_are_chosen_for_their_recall() -> None:
    rng = np.random.default_rng(1)
    centres = units(rng, 40)
    vectors = noisy(centres[rng.integers(0, 40, 8000)], rng, 0.9)
    ids = np.arange(8000) + 1000
    inverted = InvertedFile.build(vectors, ids)
    queries = noisy(vectors[:300], rng)
    wanted = ids[exact(vectors, queries, 25)[1]]
    assert recall(inverted.search(queries, 25)[1], wanted) > 0.98
    again = InvertedFile.build(vectors, ids)
    assert again.to_bytes() == inverted.to_bytes()


def test_noise_has_the_cosine_that_was_asked_for() -> None:
    vectors = units(np.random.default_rng(2), 50)
    turned = noisy(vectors, np.random.default_rng(3), 0.6)
    assert np.sum(vectors * turned, axis=1) == pytest.approx(0.6, abs=1e-4)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(1, abs=1e-4)
