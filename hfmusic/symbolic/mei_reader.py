"""Reads MEI: one staff, one voice."""

from __future__ import annotations

from .score import Score

DURATIONS = {
    "quadruple_whole": "long",
    "double_whole": "breve",
    "whole": "1",
    "half": "2",
    "quarter": "4",
    "eighth": "8",
    "sixteenth": "16",
    "thirty_second": "32",
    "sixty_fourth": "64",
    "hundred_twenty_eighth": "128",
}
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
BARLINES = {
    "single": "single",
    "double": "dbl",
    "final": "end",
    "repeat-start": "rptstart",
    "repeat-end": "rptend",
    "repeat-both": "rptboth",
    "dashed": "dashed",
    "invisible": "invis",
}
METER_SIGNS = {"C": "common", "C/": "cut"}


def read_mei(text: str) -> Score: ...
