"""Two readings fused: the recipe by hand, and what holds for all readings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.symbolic.fusion import (
    EYE_AND_EAR,
    PARAMETERS,
    FusionConfig,
    Reading,
    align,
    calibrate,
    fuse,
    fuse_readings,
)
from hfmusic.symbolic.vocabulary import load_vocabulary

TOKENS = load_vocabulary("semantic").tokens
CONFIGS = [*(FusionConfig(*three) for three in PARAMETERS), FusionConfig(likeness=1.0), EYE_AND_EAR]
# training in the same process switches denormal numbers off, which hypothesis notices
_SURE = st.floats(0.0, 1.0, allow_subnormal=False)
few = st.sampled_from([*TOKENS[:4], "note-C4_quarter", "note-C4_half", "note-D4_quarter", "tie", "rest-quarter"])


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    tokens = draw(st.lists(few, max_size=12))
    return Reading(tokens, draw(st.lists(_SURE, min_size=len(tokens), max_size=len(tokens))))


def test_the_three_rules() -> None:
    # equal: kept with the higher confidence; unequal: the surer; standing alone: kept
    a = ["clef-G2", "note-C4_half", "note-E4_half"]
    b = ["clef-G2", "note-D4_half", "barline", "note-E4_half"]
    tokens, confidences = fuse(a, [0.9, 0.4, 0.6], b, [0.5, 0.8, 0.7, 0.6])
    assert tokens == ["clef-G2", "note-D4_half", "barline", "note-E4_half"]
    assert confidences == [0.9, 0.8, 0.7, 0.6]


def test_equal_confidences_take_the_second() -> None:
    assert fuse(["tie"], [0.5], ["barline"], [0.5])[0] == ["barline"]


def test_places_say_where_a_symbol_comes_from() -> None:
    symbols = fuse_readings(Reading(["x", "y"], [0.9, 0.9]), Reading(["y", "z"], [0.8, 0.8]))
    assert [(s.token, s.first, s.second) for s in symbols] == [("x", 0, None), ("y", 1, 0), ("z", None, 1)]


def test_likeness_aligns_the_same_pitch_of_another_duration() -> None:
    a = ["note-C4_half"]
    b = ["note-G5_eighth", "note-C4_quarter"]
    assert align(a, b, FusionConfig(likeness=0.9)) == [(None, 0), (0, 1)]
    # sounding pitch counts, not spelling
    assert align(["note-D#4_half"], ["rest-half", "note-Eb4_half"], FusionConfig(likeness=0.9))[1] == (0, 1)


def test_a_lone_symbol_needs_confidence() -> None:
    a, b = Reading(["x"], [0.9]), Reading(["x", "y", "z"], [0.9, 0.4, 0.7])
    assert [s.token for s in fuse_readings(a, b, FusionConfig(lone=(0.0, 0.6)))] == ["x", "z"]
    assert [s.token for s in fuse_readings(b, a, FusionConfig(lone=(0.0, 0.6)))] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("seen", "heard", "fused"),
    [
        ("clef-C1", "clef-G2", "clef-C1"),
        ("note-D#4_half", "note-Eb4_half", "note-D#4_half"),
        ("note-D4_half_fermata", "note-D4_half", "note-D4_half_fermata"),
        ("note-D4_half", "note-E4_half", "note-E4_half"),
        ("note-D4_half", "note-D4_quarter", "note-D4_quarter"),
        ("note-D4_half", "note-E4_quarter", "note-E4_quarter"),
        ("rest-half", "rest-quarter", "rest-half"),
    ],
)
def test_an_ear_knows_no_clef_and_no_spelling(seen: str, heard: str, fused: str) -> None:
    assert fuse([seen], [0.5], [heard], [0.95], config=EYE_AND_EAR)[0] == [fused]


def test_an_ear_is_trusted_with_accidentals() -> None:
    assert fuse(["note-G5_half"], [0.9], ["note-G#5_half"], [0.6], config=EYE_AND_EAR)[0] == ["note-G#5_half"]
    assert fuse(["note-G5_half"], [0.9], ["note-A5_half"], [0.6], config=EYE_AND_EAR)[0] == ["note-G5_half"]
    # grace notes are not compared in parts
    assert fuse(["gracenote-G5_half"], [0.9], ["gracenote-G#5_half"], [0.6], config=EYE_AND_EAR)[0] == [
        "gracenote-G5_half"
    ]


@pytest.mark.parametrize("config", CONFIGS)
@settings(max_examples=40, deadline=None)
@given(reading=readings())
def test_with_itself_it_is_itself(config: FusionConfig, reading: Reading) -> None:
    kept = fuse(*reading, *reading, config=config)
    assert kept == (list(reading.tokens), list(reading.confidences))


@pytest.mark.parametrize("config", CONFIGS)
@settings(max_examples=20, deadline=None)
@given(reading=readings())
def test_with_an_empty_one_it_is_the_other(config: FusionConfig, reading: Reading) -> None:
    assert fuse(*reading, [], [], config=config)[0] == list(reading.tokens)
    assert fuse([], [], *reading, config=config)[0] == list(reading.tokens)


@pytest.mark.parametrize("config", CONFIGS)
@settings(max_examples=60, deadline=None)
@given(a=readings(), b=readings())
def test_every_token_is_aligned_once_in_order(config: FusionConfig, a: Reading, b: Reading) -> None:
    places = align(a.tokens, b.tokens, config)
    assert [i for i, _ in places if i is not None] == list(range(len(a.tokens)))
    assert [j for _, j in places if j is not None] == list(range(len(b.tokens)))
    assert (None, None) not in places


@pytest.mark.parametrize("config", [config for config in CONFIGS if not config.weights])
@settings(max_examples=60, deadline=None)
@given(a=readings(), b=readings())
def test_the_size_does_not_depend_on_the_order(config: FusionConfig, a: Reading, b: Reading) -> None:
    size = len(fuse(*a, *b, config=config)[0])
    assert len(fuse(*b, *a, config=config)[0]) == size
    assert max(len(a.tokens), len(b.tokens)) <= size <= len(a.tokens) + len(b.tokens)


def brute_force(a: list[str], b: list[str], config: FusionConfig) -> float:
    """The best score of an alignment from end to end, by trying all."""
    if not a or not b:
        return config.gap * (len(a) + len(b))
    pair = config.match if a[0] == b[0] else config.mismatch
    return max(
        pair + brute_force(a[1:], b[1:], config),
        config.gap + brute_force(a[1:], b, config),
        config.gap + brute_force(a, b[1:], config),
    )


@pytest.mark.parametrize("three", PARAMETERS)
def test_the_alignment_is_the_best_there_is(three: tuple[float, float, float]) -> None:
    config, rng = FusionConfig(*three), random.Random(3)
    for _ in range(30):
        a, b = (rng.choices("xyz", k=rng.randrange(6)) for _ in range(2))
        score = 0.0
        for i, j in align(a, b, config):
            lone = i is None or j is None
            score += config.gap if lone else config.match if a[i] == b[j] else config.mismatch  # type: ignore[index]
        assert score == pytest.approx(brute_force(a, b, config))


def noisy(tokens: list[str], rng: random.Random, wrong: float, invented: float) -> Reading:
    """A reading with errors that are less sure than what is right."""
    read, sure = [], []
    for token in tokens:
        missed = rng.random() < wrong
        read.append(rng.choice(TOKENS) if missed else token)
        sure.append(rng.uniform(0.3, 0.7) if missed else rng.uniform(0.6, 1.0))
        if rng.random() < invented:
            read.append(rng.choice(TOKENS))
            sure.append(rng.uniform(0.2, 0.6))
    return Reading(read, sure)


def test_calibrated_fusion_beats_the_recipe_and_both_readings() -> None:
    rng = random.Random(5)
    references = [rng.choices(TOKENS, k=25) for _ in range(12)]
    pairs = [(noisy(tokens, rng, 0.1, 0.05), noisy(tokens, rng, 0.2, 0.3)) for tokens in references]
    config = calibrate(pairs, references, start=FusionConfig())
    assert config == calibrate(pairs, references, start=FusionConfig())

    def edits(config: FusionConfig) -> int:
        from hfmusic.metrics.sequence import edit_distance

        fused = [[symbol.token for symbol in fuse_readings(a, b, config)] for a, b in pairs]
        return sum(edit_distance(*pair) for pair in zip(references, fused, strict=True))

    from hfmusic.metrics.sequence import edit_distance

    alone = sum(edit_distance(tokens, pair[0].tokens) for tokens, pair in zip(references, pairs, strict=True))
    assert edits(config) < edits(FusionConfig())
    assert edits(config) < alone


def test_what_cannot_be_fused() -> None:
    with pytest.raises(ValueError, match="one confidence a token, got 1 for 2"):
        fuse(["a", "b"], [0.5], [], [])
    with pytest.raises(ValueError, match=r"confidences must be 0 to 1, got 0.5 to 1.5"):
        fuse(["a", "b"], [0.5, 1.5], [], [])
    with pytest.raises(ValueError, match="match must be above 0 and above mismatch and gap"):
        FusionConfig(match=1, mismatch=2)
    with pytest.raises(ValueError, match="likeness must be 0 to 1, got 2"):
        FusionConfig(likeness=2)
    with pytest.raises(ValueError, match="weights must be of clef.*got colour"):
        FusionConfig(weights={"colour": (1, 1)})
    with pytest.raises(ValueError, match="as many references as readings are needed, got 1 and 0"):
        calibrate([], [["a"]])
