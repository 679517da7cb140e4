"""Tunes of the corpora: RISM's file, PrIMuS folders, ABC and MusicXML files."""

from __future__ import annotations

import gzip
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from hfmusic.data import music21_corpus
from hfmusic.data.corpora import (
    Refusal,
    music21_tunes,
    openscore_tunes,
    primus_folder,
    primus_work,
    read_ids,
    rism_tunes,
)
from hfmusic.data.music21_corpus import read_abc_file, read_musicxml_file, rebarred, without_slurs
from hfmusic.data.splits import split_of
from hfmusic.symbolic.musicxml import write_musicxml
from hfmusic.symbolic.pae import read_pae
from hfmusic.symbolic.score import Barline, MultiRest, NotationError, Note, Score, TimeSignature
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, semantic_text, write_semantic

SEMANTIC = "clef-G2\tkeySignature-FM\ttimeSignature-C\tnote-F4_quarter\tnote-Bb4_half\tbarline\t"
FOUR = "".join(f"4{notes}/" for notes in ("CDEF", "GABG", "AGFE", "DECG", "EDEC", "FGAF", "EGEC", "DCDC"))


def some_score(data: str = FOUR) -> Score:
    return read_pae(clef="G-2", keysig="xF", timesig="c", data=data)


# RISM


@pytest.fixture(scope="module")
def rism() -> tuple[list, list[Refusal]]:
    refused: list[Refusal] = []
    return list(rism_tunes(refused)), refused


def test_nearly_all_of_rism_is_read_and_the_rest_named(rism) -> None:  # type: ignore[no-untyped-def]
    tunes, refused = rism
    assert len(tunes) == 1408
    assert Counter(r.reason for r in refused) == {"multirest": 1, "meter": 1}
    assert len({tune.id for tune in tunes}) == len(tunes)
    assert {tune.source for tune in tunes} == {"rism"}


def test_what_primus_can_write_of_rism(rism) -> None:  # type: ignore[no-untyped-def]
    counts: Counter[str] = Counter()
    for tune in rism[0]:
        try:
            tokens = write_semantic(tune.score)
        except NotationError as error:
            counts[error.reason] += 1
        else:
            counts["written" if in_vocabulary(tokens) else "out of vocabulary"] += 1
    assert counts == {"written": 1315, "tuplet": 65, "out of vocabulary": 12, "trill": 10, "double-accidental": 6}


def test_rism_is_in_the_same_order_and_works_every_time(rism) -> None:  # type: ignore[no-untyped-def]
    assert [(t.id, t.work) for t in rism_tunes()] == [(t.id, t.work) for t in rism[0]]
    assert rism[0][0].id == "rism-400006537-1_1_1"


def test_one_melody_of_rism_is_in_one_split(rism) -> None:  # type: ignore[no-untyped-def]
    sources: dict[tuple[Note, ...], set[str]] = {}
    works: dict[tuple[Note, ...], set[str]] = {}
    for tune in rism[0]:
        if len(tune.score.notes) > 14:
            sources.setdefault(tune.score.notes, set()).add(tune.id.split("-")[1])
            works.setdefault(tune.score.notes, set()).add(tune.work)
    repeated = [notes for notes in sources if len(sources[notes]) > 1]
    assert len(repeated) > 10 and all(len(works[notes]) == 1 for notes in repeated)
    splits = Counter(split_of(t.work) for t in rism[0])
    assert splits["train"] > 1000 and splits["validation"] > 80 and splits["test"] > 80


def test_the_file_says_where_it_is_from() -> None:
    text = (Path(music21_corpus.__file__).parent / "rism_pae_incipits.tsv").read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert any("CC BY 3.0" in line for line in head) and any("rism.info" in line for line in head)


# PrIMuS


def primus_item(folder: Path, identifier: str, *suffixes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{identifier}.semantic").write_text(SEMANTIC, encoding="utf-8")
    for suffix in suffixes:
        (folder / f"{identifier}{suffix}").write_bytes(b"x")


def test_the_layout_of_camera_primus(tmp_path: Path) -> None:
    for identifier in ("000051662-1_1_2", "000051652-1_2_1"):
        primus_item(tmp_path / identifier, identifier, ".png", "_distorted.jpg", ".agnostic", ".mei")
    tunes = list(primus_folder(tmp_path))
    assert [tune.id for tune in tunes] == ["000051652-1_2_1", "000051662-1_1_2"]
    assert tunes[0].work == "rism:000051652" and tunes[0].source == "primus"
    assert {kind: path.name for kind, path in tunes[0].files.items()} == {
        "image": "000051652-1_2_1.png",
        "distorted": "000051652-1_2_1_distorted.jpg",
        "semantic": "000051652-1_2_1.semantic",
        "agnostic": "000051652-1_2_1.agnostic",
        "mei": "000051652-1_2_1.mei",
    }
    assert tunes[0].score == read_semantic(SEMANTIC)


def test_a_flat_folder_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for identifier in ("10", "9", "1"):
        primus_item(tmp_path, identifier, ".png")
    tunes = list(primus_folder(tmp_path))
    assert [tune.id for tune in tunes] == ["1", "9", "10"]
    assert set(tunes[0].files) == {"image", "semantic"}
    assert primus_work("9") == "primus:9"


def test_only_the_ids_of_a_list_in_its_order(tmp_path: Path) -> None:
    for identifier in ("000000001-1_1_1", "000000002-1_1_1"):
        primus_item(tmp_path / "corpus" / identifier, identifier)
    ids = tmp_path / "ids.txt.gz"
    with gzip.open(ids, "wt") as file:
        file.write("Corpus/000000002-1_1_1\n000000009-1_1_1\n\n")
    refused: list[Refusal] = []
    assert [tune.id for tune in primus_folder(tmp_path, ids=ids, refused=refused)] == ["000000002-1_1_1"]
    assert [(r.id, r.reason) for r in refused] == [("000000009-1_1_1", "missing")]
    (tmp_path / "ids.txt").write_text("000000001-1_1_1\n")
    assert read_ids(tmp_path / "ids.txt") == ["000000001-1_1_1"]


def test_a_broken_label_is_named_and_the_rest_read(tmp_path: Path) -> None:
    primus_item(tmp_path, "1")
    (tmp_path / "2.semantic").write_text("clef-G2 note-H4_quarter")
    (tmp_path / "3.semantic").write_bytes(b"\xff\xfe\xff")
    refused: list[Refusal] = []
    assert [tune.id for tune in primus_folder(tmp_path, refused=refused)] == ["1"]
    assert [(r.id, r.reason) for r in refused] == [("2", "token"), ("3", "text")]


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \.semantic file in"):
        list(primus_folder(tmp_path))
    with pytest.raises(ValueError, match=r"no \.mxl or \.musicxml file in"):
        list(openscore_tunes(tmp_path))
    for read in (primus_folder, openscore_tunes):
        with pytest.raises(ValueError, match="folder must exist, got .*nowhere"):
            list(read(tmp_path / "nowhere"))


# ABC

ABC = """X:1
T:One
M:2/4
L:1/8
K:D
FG|A2 A>B|A-A FD|Tf2 z2|
d2 cB|A2 F2|DEFG|A4|

X:1
T:A chord in the last line
M:C
K:G
GABc dedB|GABc dedB|
[GB]4 z4|

X:3
K:Hx
abc
"""


def test_an_abc_file(tmp_path: Path) -> None:
    path = tmp_path / "airs.abc"
    path.write_text("% A book\n\n" + ABC, encoding="latin-1")
    first, second = read_abc_file(path)
    assert (first[0], second[0]) == ("1", "1b")
    assert semantic_text(write_semantic(first[1].without("trill"))).split("\t")[:8] == (
        "clef-G2 keySignature-DM timeSignature-2/4 note-F#4_eighth note-G4_eighth barline note-A4_quarter "
        "note-A4_eighth.".split(" ")
    )
    assert [note.beam for note in first[1].notes[:2]] == ["begin", "end"]
    assert len(second[1].notes) == 16


def test_lines_of_essen_end_with_the_barline_that_is_due(tmp_path: Path) -> None:
    folder = tmp_path / "essenFolksong"
    folder.mkdir()
    (folder / "a.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nG|c2e2\ng2e2|c2zG|\n")
    ((_, score),) = read_abc_file(folder / "a.abc")
    kinds = "".join("|" if isinstance(e, Barline) else "n" if isinstance(e, Note) else "" for e in score.elements)
    assert kinds == "n|nn|nn|nn|"


def test_rebarring_needs_a_note_where_the_barline_is_due() -> None:
    score = read_pae(clef="G-2", timesig="2/4", data="4C2C4C/4CCCC/2-2C")
    assert [isinstance(e, Barline) for e in rebarred(score).elements].count(True) == 4


def test_a_tie_between_different_pitches_is_a_slur() -> None:
    tied = read_semantic("note-C4_half tie note-C4_half tie note-D4_half")
    assert [note.tie for note in without_slurs(tied).notes] == [True, False, False]


@pytest.fixture
def small_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    for name in ("essenFolksong", "ryansMammoth"):
        (folder / name).mkdir(parents=True)
    (folder / "ryansMammoth" / "Reel.abc").write_text(ABC)
    (folder / "essenFolksong" / "test1.abc").write_text(ABC)
    (folder / "essenFolksong" / "erk.abc").write_text(ABC)
    monkeypatch.setattr(music21_corpus, "_corpus_folder", lambda: folder)
    return folder


def test_incipits_of_a_corpus(small_corpus: Path, tmp_path: Path) -> None:
    tunes = list(music21_tunes(cache_dir=tmp_path / "cache"))
    assert {tune.id.rsplit("-", 1)[0] for tune in tunes} == {
        "essenFolksong-erk-1",
        "essenFolksong-erk-1b",
        "ryansMammoth-Reel-1",
        "ryansMammoth-Reel-1b",
    }
    assert tunes == list(music21_tunes(cache_dir=tmp_path / "cache"))
    assert len({tune.id for tune in tunes}) == len(tunes) and {tune.source for tune in tunes} == {"music21"}
    # The same melody in two books is one work.
    assert len({tune.work for tune in tunes}) == 2
    assert {t.id.rsplit("-", 1)[0] for t in music21_tunes(1, cache_dir=tmp_path / "cache")} == {"essenFolksong-erk-1"}


def test_a_file_is_read_once_and_again_when_it_changes(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = music21_corpus.read_abc_file
    monkeypatch.setattr(music21_corpus, "read_abc_file", lambda path: read.append(path.name) or plain(path))
    monkeypatch.setenv("HFMUSIC_CACHE", str(tmp_path / "cache"))
    before = list(music21_tunes())
    assert list(music21_tunes()) == before and read == ["erk.abc", "Reel.abc"]
    (small_corpus / "ryansMammoth" / "Reel.abc").write_text(ABC.replace("K:D", "K:A"))
    assert list(music21_tunes()) != before and read[2:] == ["Reel.abc"]
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_the_installed_corpus_is_found() -> None:
    folder = music21_corpus._corpus_folder()
    assert all(list((folder / name).glob("*.abc")) for name in music21_corpus.CORPORA)


# MusicXML


def two_parts(score: Score, staves: bool) -> str:
    """The score as a voice over a part of two staves, or over itself."""
    text = write_musicxml(score)
    part = text[text.index('<part id="P1">') : text.index("</part>") + 7]
    other = part.replace('"P1"', '"P2"')
    if staves:
        other = other.replace("</divisions>", "</divisions><staves>2</staves>", 1)
    return text.replace("</score-partwise>", f"{other}</score-partwise>")


def test_parts_of_one_staff(tmp_path: Path) -> None:
    path = tmp_path / "song.musicxml"
    path.write_text(two_parts(some_score(), staves=True))
    assert [(name, score.notes) for name, score in read_musicxml_file(path)] == [("P1", some_score().notes)]
    path.write_text(two_parts(some_score(), staves=False))
    assert [name for name, _ in read_musicxml_file(path)] == ["P1", "P2"]


def test_the_first_voice_and_the_first_note_of_a_chord(tmp_path: Path) -> None:
    text = write_musicxml(some_score("4CDEF/GABG/"))
    second = (
        "<backup><duration>4</duration></backup><note><pitch><step>E</step><octave>5</octave></pitch>"
        "<duration>4</duration><voice>2</voice><type>whole</type></note></measure>"
    )
    chord = "</note>\n<note><chord/><pitch><step>E</step><octave>5</octave></pitch><duration>1</duration></note>"
    text = text.replace("</measure>", second, 1).replace("</note>", chord, 1)
    path = tmp_path / "a.musicxml"
    path.write_text(text)
    ((_, score),) = read_musicxml_file(path)
    assert score.notes == some_score("4CDEF/GABG/").notes


def test_a_part_is_read_up_to_what_no_score_carries(tmp_path: Path) -> None:
    text = write_musicxml(some_score(FOUR * 3))
    measures = text.split("</measure>")
    measures[17] = measures[17].replace("<type>quarter</type>", "<type>1024th</type>", 1)
    path = tmp_path / "a.musicxml"
    path.write_text("</measure>".join(measures))
    ((_, score),) = read_musicxml_file(path)
    assert len(score.notes) == 17 * 4


def test_incipits_of_packed_songs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lc1.mxl", "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>',
        )
        archive.writestr("score.xml", two_parts(some_score("=4/" + FOUR), staves=True))
    tunes = list(openscore_tunes(tmp_path, cache_dir=tmp_path / "cache"))
    assert tunes and tunes[0].id == "lc1-P1-1" and {tune.work for tune in tunes} == {"openscore:lc1"}
    assert not any(isinstance(element, MultiRest) for element in tunes[0].score.elements)
    assert TimeSignature(4, 4, "C") in tunes[-1].score.elements
    assert tunes == list(openscore_tunes(tmp_path, cache_dir=tmp_path / "cache"))
