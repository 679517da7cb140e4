"""Reads the PrIMuS agnostic encoding; see `agnostic`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .score import (
    FIGURES,
    SHARP_ORDER,
    STEPS,
    Barline,
    Beam,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from .semantic import split_tokens
from .staff_positions import key_positions

_ALTERS = {"flat": -1, "natural": 0, "sharp": 1, "doublesharp": 2, "doubleflat": -2}
_BEAM_OF: dict[str, Beam] = {"beamedRight": "begin", "beamedBoth": "middle", "beamedLeft": "end"}
_FIGURES = tuple(FIGURES)
_QUARTER = _FIGURES.index("quarter")
_METER_SIGNS = {"C": TimeSignature(4, 4, "C"), "C/": TimeSignature(2, 2, "C/"), "Ccut": TimeSignature(2, 2, "C/")}
_TOKEN = re.compile(r"(?P<name>[a-z]+)(?:\.(?P<kind>[A-Za-z0-9_/]+))?(?:-(?P<place>[LS])(?P<number>-?\d+))?")
_DEFAULT_CLEF = Clef("G", 2)


@dataclass(frozen=True, slots=True)
class _Sign:
    """A token taken apart: `steps` above the bottom line, None where it has no position."""

    name: str
    kind: str
    steps: int | None
    index: int


def _sign(token: str, index: int) -> _Sign:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise _unknown(token, index)
    steps = None
    if match["place"]:
        steps = 2 * int(match["number"]) - (2 if match["place"] == "L" else 1)
    return _Sign(match["name"], match["kind"] or "", steps, index)


def _unknown(token: str, index: int) -> NotationError:
    return NotationError("token", f"{token!r} (token {index}) is not PrIMuS agnostic")


def read_agnostic(text_or_tokens: str | Sequence[str], *, repair: bool = False) -> Score:
    """Reads PrIMuS agnostic tokens, or a text of them: pitches sound by clef, key signature, accidentals and ties.

    Accidentals make a key signature where they stand in its order and no note stands in the last one's place. Where one
    does, the encoding is ambiguous: two or more, or one right after the first clef, are taken for a key signature.

    Args:
        repair: the tokens come from a recogniser: a tie, digit, dot or accidental that belongs to nothing is dropped.

    Raises:
        NotationError: "token" for one the grammar lacks or that belongs to nothing, "tie" for one no note follows.

    >>> read_agnostic("clef.F-L4 note.quarter-L4 slur.start-L4 barline-L1 slur.end-L4 note.quarter-L4").notes[0].tie
    True
    """
    tokens = split_tokens(text_or_tokens) if isinstance(text_or_tokens, str) else list(text_or_tokens)
    reader = _Reader([_sign(token, index) for index, token in enumerate(tokens)], tokens, repair)
    return reader.read()


@dataclass
class _Reader:
    signs: list[_Sign]
    tokens: list[str]
    repair: bool
    elements: list[Element] = field(default_factory=list)
    clef: Clef = _DEFAULT_CLEF
    key: KeySignature = KeySignature(0)
    altered: dict[int, int] = field(default_factory=dict)  # diatonic: alteration drawn earlier in the measure
    tied_from: Pitch | None = None
    accidental: int | None = None
    digits: str = ""
    numerator: int | None = None
    multirest_open: bool = False
    fermata: bool = False
    trill: bool = False

    def read(self) -> Score:
        at = 0
        while at < len(self.signs):
            sign = self.signs[at]
            if self.multirest_open and not (sign.name == "digit" and sign.steps == 9):
                self._close_multirest(sign)
            if sign.name == "accidental":
                at += self._accidentals(at)
                continue
            reader = getattr(self, f"_read_{sign.name}", None)
            if reader is None:
                raise _unknown(self.tokens[sign.index], sign.index)
            reader(sign)
            at += 1
        if self.multirest_open and self.signs:
            self._close_multirest(self.signs[-1])
        return self._score()

    def _score(self) -> Score:
        """Drops ties that no note follows, or refuses them."""
        loose = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in self.elements))
        for index, element in enumerate(self.elements):
            if isinstance(element, Note) and element.tie and loose.tied_note(index) is None:
                if not self.repair:
                    raise NotationError("tie", f"no note follows the tie after element {index}")
                self.elements[index] = loose.elements[index]
        return Score(tuple(self.elements))

    def _stray(self, sign: _Sign) -> None:
        if not self.repair:
            token = self.tokens[sign.index]
            raise NotationError("token", f"{token!r} (token {sign.index}) belongs to nothing before or after it")

    def _steps(self, sign: _Sign) -> int:
        if sign.steps is None:
            raise _unknown(self.tokens[sign.index], sign.index)
        return sign.steps

    def _read_clef(self, sign: _Sign) -> None:
        steps = self._steps(sign)
        if sign.kind not in ("G", "F", "C") or steps not in (0, 2, 4, 6, 8):
            raise _unknown(self.tokens[sign.index], sign.index)
        self.clef = Clef(sign.kind, steps // 2 + 1)
        self.elements.append(self.clef)

    def _accidentals(self, at: int) -> int:
        """Reads the key signature or the note's accidental that begins at `at`. Returns how many tokens it took."""
        run = at
        while run < len(self.signs) and self.signs[run].name == "accidental":
            run += 1
        following = self.signs[run] if run < len(self.signs) else None
        key, count = self._key_of(self.signs[at:run], following)
        if key is not None:
            self.key, self.altered = key, {}
            self.elements.append(key)
            return count
        alters = [_ALTERS.get(sign.kind, 9) for sign in self.signs[at:run]]
        if 9 in alters:
            bad = self.signs[at + alters.index(9)]
            raise _unknown(self.tokens[bad.index], bad.index)
        if following is None or following.name not in ("note", "gracenote"):
            self._stray(self.signs[at])
        else:
            self.accidental = -2 if alters[-2:] == [-1, -1] else alters[-1]
        return run - at

    def _key_of(self, run: list[_Sign], following: _Sign | None) -> tuple[KeySignature | None, int]:
        """The key signature a run of accidentals begins with, and how many of them it takes."""
        first = run[0].kind
        before_note = following is not None and following.name in ("note", "gracenote")
        if first == "natural":
            order = self.key.fifths
        else:
            order = {"sharp": 7, "flat": -7}.get(first, 0)
        steps_in_order = SHARP_ORDER if order > 0 else SHARP_ORDER[::-1]
        count = 0
        for sign, step in zip(run, steps_in_order[: abs(order)], strict=False):
            if sign.kind != first or STEPS[(self.clef.bottom_line_diatonic + self._steps(sign)) % 7] != step:
                break
            count += 1
        key = KeySignature(count if order > 0 else -count) if first != "natural" else KeySignature(0)
        if not count or (first == "natural" and count < abs(order)) or len(run) - count > 1:
            return None, 0
        header = all(isinstance(element, Clef) for element in self.elements)
        alike = count == len(run) or run[count].kind == first
        if alike and before_note and following is not None and run[count - 1].steps == following.steps:
            shown = self.key if first == "natural" else key
            usual = key_positions(shown, self.clef) == tuple(sign.steps for sign in run[:count])
            if not usual or (count == 1 and not header):
                return None, 0
        return key, count

    def _read_digit(self, sign: _Sign) -> None:
        steps = self._steps(sign)
        if not sign.kind.isdigit():
            raise _unknown(self.tokens[sign.index], sign.index)
        if steps == 9:
            self.digits += sign.kind
        elif steps == 6:
            self.numerator = int(sign.kind)
        elif steps == 2 and self.numerator and int(sign.kind):
            self.elements.append(TimeSignature(self.numerator, int(sign.kind)))
            self.numerator = None
        else:
            self._stray(sign)

    def _read_metersign(self, sign: _Sign) -> None:
        if sign.kind not in _METER_SIGNS:
            raise _unknown(self.tokens[sign.index], sign.index)
        self.elements.append(_METER_SIGNS[sign.kind])

    def _read_multirest(self, sign: _Sign) -> None:
        """Its digits stand before it (PrIMuS) or after it (later versions of the converter)."""
        if self.digits:
            self._close_multirest(sign)
        else:
            self.multirest_open = True

    def _close_multirest(self, sign: _Sign) -> None:
        self.multirest_open = False
        if int(self.digits or 0) >= 1:
            self.elements.append(MultiRest(int(self.digits)))
            self.altered, self.digits = {}, ""
        else:
            self._stray(sign)

    def _read_barline(self, sign: _Sign) -> None:
        self.altered, self.digits = {}, ""
        self.elements.append(Barline())

    def _read_slur(self, sign: _Sign) -> None:
        """`slur.end` repeats what `slur.start` said."""
        if sign.kind != "start":
            return
        last = self.elements[-1] if self.elements else None
        if isinstance(last, Note):
            self.elements[-1] = replace(last, tie=True)
            self.tied_from = last.pitch
        else:
            self._stray(sign)

    def _read_fermata(self, sign: _Sign) -> None:
        self.fermata = True

    def _read_trill(self, sign: _Sign) -> None:
        self.trill = True

    def _read_dot(self, sign: _Sign) -> None:
        last = self.elements[-1] if self.elements else None
        if isinstance(last, (Note, Rest)) and last.duration.dots < 3:
            self.elements[-1] = replace(last, duration=Duration(last.duration.figure, last.duration.dots + 1))
        else:
            self._stray(sign)

    def _read_rest(self, sign: _Sign) -> None:
        measures, self.digits = self.digits, ""
        if (measures, sign.kind) in (("1", "whole"), ("2", "breve"), ("2", "double_whole")):
            self.elements.append(MultiRest(int(measures)))
            self.altered = {}
            return
        self.elements.append(Rest(self._duration(sign.kind, sign)[0], fermata=self.fermata))
        self.fermata = False

    def _duration(self, kind: str, sign: _Sign) -> tuple[Duration, Beam | None]:
        beamed = re.fullmatch(r"(beamedRight|beamedBoth|beamedLeft)([0-5])", kind)
        if beamed:
            return Duration(_FIGURES[_QUARTER + int(beamed[2])]), _BEAM_OF[beamed[1]]
        if kind not in FIGURES:
            raise _unknown(self.tokens[sign.index], sign.index)
        return Duration(kind), None

    def _read_note(self, sign: _Sign, grace: bool = False) -> None:
        duration, beam = self._duration(sign.kind, sign)
        diatonic = self.clef.bottom_line_diatonic + self._steps(sign)
        if not 0 <= diatonic < 70:
            raise _unknown(self.tokens[sign.index], sign.index)
        alter = self.altered.get(diatonic, self.key.alter_of(STEPS[diatonic % 7]))
        if self.tied_from is not None and self.tied_from.diatonic == diatonic:
            alter = self.tied_from.alter
        courtesy = self.accidental == alter
        if self.accidental is not None:
            alter = self.altered[diatonic] = self.accidental
        pitch = Pitch.from_diatonic(diatonic, alter)
        note = Note(pitch, duration, grace=grace, fermata=self.fermata, trill=self.trill, beam=beam, courtesy=courtesy)
        self.elements.append(note)
        self.tied_from = self.accidental = None
        self.fermata = self.trill = False

    def _read_gracenote(self, sign: _Sign) -> None:
        self._read_note(sign, grace=True)
