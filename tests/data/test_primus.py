"""The plan of a dataset: splits, duplicates, order; scores as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hfmusic.data import primus
from hfmusic.data.corpora import Tune
from hfmusic.data.primus import PrimusSettings, plan_shards, write_plan
from hfmusic.symbolic.score import Duration, Note, Pitch, Score
from hfmusic.symbolic.semantic import read_semantic

LETTERS = "CDEFGAB"


def tune(name: str, letters: str, *, work: str | None = None, source: str = "rism") -> Tune:
    notes = " ".join(f"note-{letter}4_quarter" for letter in letters)
    return Tune(id=name, work=work or name, score=read_semantic(f"clef-G2 {notes}"), source=source)


@pytest.fixture
def tunes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tune]]:
    """Tunes that "rism" yields; a work's name begins with its split."""
    found: list[Tune] = []
    monkeypatch.setattr(primus, "rism_tunes", lambda refused: iter(found))
    monkeypatch.setattr(primus, "split_of", lambda work: work.split("-")[0])
    yield found


def planned(folder: Path, **options: object) -> tuple[dict, list[dict]]:
    settings = PrimusSettings(**({"sources": ("rism",)} | options))  # type: ignore[arg-type]
    plan = write_plan(settings, folder)
    return plan, [item for shard in plan_shards(plan, folder, folder) for item in shard.items()]


def test_a_text_of_the_test_split_is_in_no_other(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [
        tune("train-1", "CDE"),
        tune("validation-1", "CDE"),
        tune("test-1", "CDE"),
        tune("train-2", "CDE"),
        tune("test-2", "FGA"),
        tune("train-3", "GGG"),
    ]
    plan, items = planned(tmp_path / "plan")
    assert sorted(item["id"] for item in items) == ["test-1", "test-2", "train-3"]
    assert plan["dropped"] == {"in another split": 3}


def test_a_text_is_once_in_its_split_whatever_its_work(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune("train-1", "CDE"), tune("train-2", "CDE"), tune("train-3", "CDF")]
    plan, items = planned(tmp_path / "plan")
    assert sorted(item["id"] for item in items) == ["train-1", "train-3"]
    assert plan["dropped"] == {"duplicate": 1}


def test_two_tunes_with_one_id_are_refused(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune("train-1", "CDE"), tune("train-1", "CDF")]
    with pytest.raises(ValueError, match="two tunes of the sources have the id 'train-1'"):
        planned(tmp_path / "plan")


def test_only_training_tunes_are_varied(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune("train-1", "CDEFGFED"), tune("test-1", "FGAFGAFG")]
    _, items = planned(tmp_path / "plan", variations=2)
    names = [item["id"] for item in items]
    assert set(names) <= {"train-1", "train-1-v1", "train-1-v2", "test-1"}
    assert any(name.startswith("train-1-v") for name in names)
    assert {item["work"] for item in items} == {"train-1", "test-1"}


def test_generated_tunes_only_train(tmp_path: Path, tunes: list[Tune]) -> None:
    plan, items = planned(tmp_path / "plan", generated=5)
    assert {item["split"] for item in items} == {"train"}
    assert {item["source"] for item in items} == {"generated"}
    assert len(items) + sum(plan["dropped"].values()) == 5


def test_what_primus_cannot_say_is_counted_by_reason(tmp_path: Path, tunes: list[Tune]) -> None:
    note = Note(Pitch("C", 0, 4), Duration("eighth"), tuplet=(3, 2))
    tunes += [Tune("train-1", "train-1", Score((note, note, note)), "rism"), tune("train-2", "CDE")]
    plan, items = planned(tmp_path / "plan")
    assert [item["id"] for item in items] == ["train-2"]
    assert plan["dropped"] == {"tuplet": 1}


def test_the_vocabularies_of_the_wanted_encodings_hold(tmp_path: Path, tunes: list[Tune]) -> None:
    # note.sixty_fourth-L2 is not one of the 758 agnostic tokens; note-G4_sixty_fourth is one of the 1,781 semantic ones
    tunes.append(Tune("train-1", "train-1", read_semantic("clef-G2 note-G4_sixty_fourth"), "rism"))
    tunes.append(Tune("train-2", "train-2", read_semantic("clef-G2 note-C7_quarter"), "rism"))
    plan, items = planned(tmp_path / "plan")
    assert items == [] and plan["shards"] == []
    assert plan["dropped"] == {"outside the agnostic vocabulary": 1, "outside the semantic vocabulary": 1}
    plan, items = planned(tmp_path / "plan", encodings=("semantic",))
    assert [(item["id"], item["agnostic"]) for item in items] == [("train-1", "clef.G-L2\tnote.sixty_fourth-L2")]


def test_n_is_exact_and_shards_are_full(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune(f"train-{a}{b}", a + b) for a in LETTERS for b in LETTERS]
    plan, items = planned(tmp_path / "plan", n=25, rows_per_shard=10)
    assert len(items) == 25
    assert plan["shards"] == [
        ("train-00000-of-00003", 10),
        ("train-00001-of-00003", 10),
        ("train-00002-of-00003", 5),
    ]


def test_the_order_is_shuffled_but_fixed(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune(f"train-{a}{b}", a + b) for a in LETTERS for b in LETTERS]
    first = [item["id"] for item in planned(tmp_path / "a")[1]]
    assert first == [item["id"] for item in planned(tmp_path / "b")[1]]
    assert first != sorted(first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ("rism", "radio")}, "sources must be among .* got 'radio'"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"variations": -1}, "variations must be at least 0, got -1"),
        ({"encodings": ("semantic", "braille")}, "encodings must be among .* 'braille'"),
        ({"splits": "random"}, "splits must be official or work, got 'random'"),
        ({"sources": ("primus",)}, "source 'primus' needs data_dir"),
    ],
)
def test_settings_that_make_no_sense(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrimusSettings(**options)


def test_settings_name_no_path() -> None:
    settings = PrimusSettings(sources=("primus",), data_dir="/home/someone/primus")
    assert settings.public()["data_dir"] == "primus"


def primus_files(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / f"{name}.semantic").write_text(text)


def test_official_test_ids_test_and_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = "clef-G2\tnote-C4_quarter\t"
    monkeypatch.setattr(primus, "split_of", lambda work: "test")
    assert {"000051652-1_2_1", "000051662-1_1_2"} <= primus.official_test_ids()
    assert len(primus.official_test_ids()) == 8923
    for name in ("000051652-1_2_1", "000051662-1_1_2", "000051652-1_1_1"):
        primus_files(tmp_path / "corpus", name, same)
    primus_files(tmp_path / "corpus", "000051650-1_1_2", "clef-G2\tnote-D4_quarter\t")
    folder = str(tmp_path / "corpus")
    plan, items = planned(tmp_path / "plan", sources=("primus",), data_dir=folder)
    assert {item["id"]: item["split"] for item in items} == {
        "000051652-1_2_1": "test",
        "000051662-1_1_2": "test",
        "000051650-1_1_2": "train",
    }
    assert plan["dropped"] == {"in another split": 1}
    _, items = planned(tmp_path / "plan", sources=("primus",), data_dir=folder, splits="work")
    assert {item["split"] for item in items} == {"test"}


def test_works_of_the_official_test_split_train_nowhere(tmp_path: Path, tunes: list[Tune]) -> None:
    tunes += [tune("train-1", "CDE", work="rism:000051652"), tune("train-2", "CDF", work="train-rism")]
    primus_files(tmp_path / "corpus", "x", "clef-G2\tnote-C4_quarter\t")
    primus.official_test_works()
    settings = {"sources": ("rism", "primus"), "data_dir": str(tmp_path / "corpus")}
    _, items = planned(tmp_path / "plan", **settings)
    assert {item["id"]: item["split"] for item in items if item["source"] == "rism"} == {
        "train-1": "test",
        "train-2": "train",
    }
