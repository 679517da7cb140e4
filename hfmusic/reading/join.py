"""The readings of a page's staves, one after another, as one text.

Engravers repeat clef and key on every line, and the meter only where it changes. A change between two lines is drawn
twice: as a warning at the end of the one, and at the start of the next. One text of music has each sign once.
"""

from __future__ import annotations

import itertools
import os.path
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from hfmusic.symbolic.score import Clef, Element, KeySignature, Note, Rest, TimeSignature
from hfmusic.symbolic.semantic import element_of

_SIGNS = (Clef, KeySignature, TimeSignature)  # in the order in which they are drawn and written


@dataclass(frozen=True)
class Joined:
    """A token of the joined text, and where it was read: the number of its line, and its place in that line's tokens;
    `place` is None for a bar line that no line showed, after the last token of `line`."""

    token: str
    line: int
    place: int | None


def join(lines: Sequence[Sequence[str]], encoding: str = "semantic") -> list[Joined]:
    """One text of the tokens of lines that go on from each other, in order.

    A clef or key repeated at the start of a line is left out where it equals what holds, and so is a meter; a warning
    at the end of a line and the sign after it become one, after the bar line. A line that ends without a bar line gets
    one where its last measure is complete.

    Args:
        encoding: "semantic" or "agnostic"; of agnostic tokens, those that a line begins with as the one before did
            (clef and key) are left out, and nothing else is done.

    >>> first = "clef-G2 keySignature-DM timeSignature-2/4 note-D4_half barline".split()
    >>> second = "clef-G2 keySignature-DM note-F#4_half barline".split()
    >>> " ".join(one.token for one in join([first, second])[3:])
    'note-D4_half barline note-F#4_half barline'
    """
    read = [[Joined(token, number, place) for place, token in enumerate(tokens)] for number, tokens in enumerate(lines)]
    read = [line for line in read if line]
    if encoding != "semantic":
        return _join_agnostic(read)
    text = _Text()
    heads = [_head(line) for line in read]
    for number, line in enumerate(read):
        text.add(line, heads[number], heads[number + 1] if number + 1 < len(read) else None)
    return text.symbols


def _head(line: list[Joined]) -> list[Joined]:
    """The signs that a line begins with."""
    return list(itertools.takewhile(lambda symbol: _kind(symbol) is not None, line))


def _kind(symbol: Joined) -> type[Element] | None:
    """Clef, KeySignature or TimeSignature; None for what is none of them."""
    element = element_of(symbol.token)
    return type(element) if isinstance(element, _SIGNS) else None


@dataclass
class _Text:
    """The lines joined so far, the signs that hold, and those that warned of a change at the end of the last line."""

    symbols: list[Joined] = field(default_factory=list)
    holds: dict[type[Element] | None, str] = field(default_factory=dict)
    warned: list[Joined] = field(default_factory=list)

    def add(self, line: list[Joined], head: list[Joined], following: list[Joined] | None) -> None:
        """One line more, that begins with the signs `head`; the next one with `following`, None if it is the last."""
        body = line[len(head) :]
        warnings: list[Joined] = []
        if following is not None:
            body, warnings = _without_warnings(body)
        if self.symbols:
            self._close_measure()
            body = self._without_repeats(body)
            head = [sign for sign in head if not self._is_slip(sign, [*self.warned, *body, *warnings], following)]
        self._add_signs(self.warned, head)
        self.warned = warnings
        for symbol in body:
            self._append(symbol)

    def _is_slip(self, sign: Joined, around: list[Joined], following: list[Joined] | None) -> bool:
        """Whether a sign that a line begins with was misread: nothing warns of a change, or of one back, and yet the
        next line begins as the one before."""
        kind = _kind(sign)
        if kind is TimeSignature or sign.token == self.holds.get(kind) or any(_kind(one) is kind for one in around):
            return False
        return any(_kind(one) is kind and one.token == self.holds.get(kind) for one in following or ())

    def _append(self, symbol: Joined) -> None:
        kind = _kind(symbol)
        if kind is not None:
            self.holds[kind] = symbol.token
        self.symbols.append(symbol)

    def _add_signs(self, warned: list[Joined], head: list[Joined]) -> None:
        """What changes between two lines, once; on the first line all that it begins with."""
        if not self.symbols:
            for symbol in head:
                self._append(symbol)
            return
        for kind in _SIGNS:
            drawn = [symbol for symbol in (*warned, *head) if _kind(symbol) is kind]
            if drawn and drawn[-1].token != self.holds.get(kind):
                self._append(drawn[-1])

    def _without_repeats(self, body: list[Joined]) -> list[Joined]:
        """What a line says after its signs, without the bar line that the line before ends with, too; the end of a tie
        goes where the tie begins."""
        if body and body[0].token == "barline" and self.symbols[-1].token == "barline":
            body = body[1:]
        if body and body[0].token == "tie":
            self._tie(body[0])
            body = body[1:]
        return body

    def _tie(self, tie: Joined) -> None:
        """A tie from the last note, if none but bar lines came since and it has none."""
        place = len(self.symbols)
        while place and self.symbols[place - 1].token == "barline":
            place -= 1
        if place and isinstance(element_of(self.symbols[place - 1].token), Note):
            self.symbols.insert(place, tie)

    def _close_measure(self) -> None:
        """A bar line after a line that ends without one, where its last measure is complete."""
        last = self.symbols[-1]
        meter = element_of(self.holds.get(TimeSignature, ""))
        if last.token == "barline" or not isinstance(meter, TimeSignature):
            return
        if _quarters_since_bar(self.symbols) == Fraction(4 * meter.numerator, meter.denominator):
            self.symbols.append(Joined("barline", last.line, None))


def _quarters_since_bar(symbols: list[Joined]) -> Fraction:
    quarters = Fraction(0)
    for symbol in reversed(symbols):
        element = element_of(symbol.token)
        if symbol.token == "barline":
            break
        if isinstance(element, Note | Rest):
            quarters += element.quarters
    return quarters


def _without_warnings(body: list[Joined]) -> tuple[list[Joined], list[Joined]]:
    """What a line says, and the signs that it ends with: after its last bar line, or the clef just before it."""
    end = len(body)
    while end and _kind(body[end - 1]) is not None:
        end -= 1
    said, warnings = body[:end], body[end:]
    if len(said) > 1 and said[-1].token == "barline" and _kind(said[-2]) is Clef:
        return [*said[:-2], said[-1]], [said[-2], *warnings]
    return said, warnings


def _join_agnostic(lines: list[list[Joined]]) -> list[Joined]:
    symbols: list[Joined] = []
    before: list[str] = []
    for line in lines:
        signs = [symbol.token for symbol in itertools.takewhile(_is_agnostic_sign, line)]
        same = len(os.path.commonprefix([before, signs]))
        symbols += line[same:]
        before = signs
    return symbols


def _is_agnostic_sign(symbol: Joined) -> bool:
    """A clef, or one of the accidentals that a key signature is drawn as."""
    return symbol.token.startswith(("clef.", "accidental."))
