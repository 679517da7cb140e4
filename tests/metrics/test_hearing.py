"""What no ear can know, by hand."""

from __future__ import annotations

import random

import pytest

from hfmusic.metrics.hearing import CAUSES, heard_breakdown, sounding_error_rate
from hfmusic.metrics.sequence import edit_distance, symbol_error_rate
from hfmusic.symbolic.vocabulary import load_vocabulary


def shares(reference: str, prediction: str) -> dict[str, int]:
    """Causes that have edits."""
    found = heard_breakdown([reference.split()], [prediction.split()])
    return {cause: count for cause, count in found["edits"].items() if count}


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        ("clef-C1 note-C4_half", "clef-G2 note-C4_half", {"clef": 1}),
        ("clef-C1 note-C4_half", "note-C4_half", {"clef": 1}),
        ("keySignature-DM note-C4_half", "keySignature-GM note-C4_half", {"key signature": 1}),
        ("note-C4_half", "keySignature-GM note-C4_half", {"key signature": 1}),
        ("note-D#4_half note-C4_half", "note-Eb4_half note-D4_half", {"spelling": 1, "audible": 1}),
        # another spelling and another length: the ear hears the length
        ("note-D#4_half", "note-Eb4_quarter", {"audible": 1}),
        ("gracenote-D4_eighth note-C4_half", "note-C4_half", {"grace note": 1}),
        ("timeSignature-C note-C4_half", "timeSignature-4/4 note-C4_half", {"notation": 1}),
        ("timeSignature-C/ note-C4_half", "timeSignature-2/2 note-C4_half", {"notation": 1}),
        ("timeSignature-C note-C4_half", "timeSignature-C/ note-C4_half", {"audible": 1}),
        ("note-C4_half_fermata", "note-C4_half", {"notation": 1}),
        ("rest-half_fermata rest-quarter", "rest-half.", {"notation": 2}),
        ("note-C4_quarter tie note-C4_eighth", "note-C4_quarter.", {"notation": 3}),
        # a tie over a bar line stays, and so does one between two pitches
        ("note-C4_quarter tie barline note-C4_eighth", "note-C4_quarter barline note-C4_eighth", {"audible": 1}),
        ("note-C4_quarter tie note-D4_eighth", "note-C4_quarter note-D4_eighth", {"audible": 1}),
        # joining the reference alone would make two edits of one: it is not joined
        ("note-C4_quarter tie note-C4_quarter", "note-C4_quarter note-C4_quarter", {"audible": 1}),
        ("note-C4_half", "note-C4_half", {}),
        ("", "tie", None),
    ],
)
def test_one_cause_at_a_time(reference: str, prediction: str, expected: dict[str, int] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="need reference symbols, got 1 references with none"):
            shares(reference, prediction)
    else:
        assert shares(reference, prediction) == expected


QUARTERS = "note-C4_quarter note-D4_quarter note-E4_quarter"


def test_an_upbeat_moves_every_bar_line() -> None:
    notes = "note-C4_quarter note-D4_quarter note-E4_quarter note-F4_quarter note-G4_quarter"
    a, b, c, d, e = notes.split()
    upbeat = f"timeSignature-2/4 {a} barline {b} {c} barline {d} {e} barline"
    straight = f"timeSignature-2/4 {a} {b} barline {c} {d} barline {e}"
    # three bar lines vanish and two appear
    assert shares(upbeat, straight) == {"incomplete measure": 5}
    # the other way round all but the last of the reference's measures are complete: an ear could have known
    assert shares(straight, upbeat) == {"incomplete measure": 1, "audible": 4}


def test_bar_lines_of_short_measures_inside() -> None:
    reference = f"timeSignature-3/4 {QUARTERS} barline note-F4_half barline {QUARTERS} barline"
    missing = f"timeSignature-3/4 {QUARTERS} barline note-F4_half {QUARTERS} barline"
    assert shares(reference, missing) == {"incomplete measure": 1}
    complete = f"timeSignature-3/4 {QUARTERS} note-F4_half barline {QUARTERS} barline"
    assert shares(reference, complete) == {"audible": 1}


def test_the_end_of_a_staff_that_stops_inside_a_measure() -> None:
    reference = f"timeSignature-3/4 {QUARTERS} barline note-F4_half"
    assert shares(reference, f"{reference} barline") == {"incomplete measure": 1}
    assert shares(f"{reference} barline", reference) == {"incomplete measure": 1}
    complete = f"timeSignature-3/4 {QUARTERS} barline note-F4_half."
    assert shares(complete, f"{complete} barline") == {"audible": 1}


def test_without_a_meter_no_measure_is_judged() -> None:
    assert shares(f"{QUARTERS} barline note-F4_half", f"{QUARTERS} note-F4_half") == {"audible": 1}


def test_multirests_and_leading_bar_lines_are_no_short_measures() -> None:
    reference = f"timeSignature-3/4 barline multirest-3 barline {QUARTERS} barline"
    assert shares(reference, reference.replace("barline multirest", "multirest")) == {"audible": 1}


def test_kinds_of_what_could_be_heard() -> None:
    found = heard_breakdown(
        [["clef-C1", "timeSignature-3/4", "note-C4_half", "note-D4_half"], ["rest-half"]],
        [["clef-G2", "timeSignature-2/4", "note-C5_half", "note-D4_quarter"], ["rest-half", "rest-quarter"]],
    )
    assert found["audible_kinds"] == {"meter": 1, "note pitch": 1, "note duration": 1, "rest": 1}
    assert found["symbols"] == 5
    assert found["percent"]["clef"] == found["unavoidable_percent"] == 20.0
    assert found["percent"]["audible"] == 80.0


def test_shares_add_up_to_all_edits() -> None:
    rng = random.Random(2)
    tokens = [*load_vocabulary("semantic").tokens[::40], *["barline", "tie", "note-C4_half", "timeSignature-2/4"] * 10]
    tokens += ["outside-vocabulary", "note-H9_none", "tie", "tie"]
    references = [rng.choices(tokens, k=rng.randrange(1, 20)) for _ in range(200)]
    predictions = [rng.choices(tokens, k=rng.randrange(20)) for _ in range(200)]
    found = heard_breakdown(references, predictions)
    assert set(found["edits"]) == set(CAUSES)
    assert min(found["edits"].values()) >= 0
    assert sum(found["edits"].values()) == sum(map(edit_distance, references, predictions))
    assert sum(found["percent"].values()) == pytest.approx(symbol_error_rate(references, predictions))
    assert sum(heard_breakdown(references, references)["edits"].values()) == 0


def test_counts_must_agree() -> None:
    with pytest.raises(ValueError, match="as many predictions as references are needed, got 2 and 1"):
        heard_breakdown([["a"]], [["a"], ["b"]])


@pytest.mark.parametrize(
    ("reference", "prediction", "rate"),
    [
        ("note-C4_half tie barline note-C4_half", "clef-C1 timeSignature-2/4 note-C4_whole barline tie", 0.0),
        ("note-D#4_half_fermata gracenote-C4_eighth", "note-Eb4_half rest-half", 0.0),
        ("note-C4_half note-D4_half", "note-C4_half note-D5_half", 50.0),
        ("note-C4_half note-D4_half", "note-C4_half note-D4_half tie note-D4_eighth", 50.0),
        ("note-C4_half", "", 100.0),
        ("note-C4_half", "note-C4_half note-C4_half note-C4_half", 200.0),
    ],
)
def test_notes_that_sound(reference: str, prediction: str, rate: float) -> None:
    assert sounding_error_rate([reference.split()], [prediction.split()]) == rate


def test_notes_are_counted_over_all_staves() -> None:
    long = "note-C4_half note-D4_half note-E4_half".split()
    assert sounding_error_rate([long, ["note-C4_half"]], [long, ["note-D4_half"]]) == 25.0
    with pytest.raises(ValueError, match="needs reference notes, got 1 references with none"):
        sounding_error_rate([["rest-half"]], [["note-C4_half"]])
    with pytest.raises(ValueError, match="as many predictions as references"):
        sounding_error_rate([[]], [])
    with pytest.raises(ValueError, match="is not PrIMuS semantic"):
        sounding_error_rate([["note-C4_half"]], [["hello"]])
