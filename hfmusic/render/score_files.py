"""Files of scores as text that Verovio reads, and what they call themselves."""

from __future__ import annotations

import html
import io
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

SHEET_SUFFIXES = (".mxl", ".musicxml", ".xml", ".mei", ".krn", ".kern", ".abc")
_MOST_BYTES = 100_000_000  # of one score: the largest of OpenScore's quartets has 10 million
_ROOT_FILE = re.compile(rb'<rootfile[^>]*full-path="([^"]+)"')
_HEAD = 20_000  # characters in which a score says what it is
_TITLES = (
    re.compile(r"<movement-title>([^<]+)"),
    re.compile(r"<work-title>([^<]+)"),
    re.compile(r"<title\b[^>]*>([^<]+)"),
    re.compile(r"^!!!OTL[^:]*:[ \t]*(\S.*)$", re.M),
    re.compile(r"^T:[ \t]*(\S.*)$", re.M),
)
_COMPOSERS = (
    re.compile(r'<creator type="composer">([^<]+)'),
    re.compile(r"<composer\b[^>]*>(?:\s*<persName[^>]*>)?([^<]+)"),
    re.compile(r'<persName[^>]*role="composer"[^>]*>([^<]+)'),
    re.compile(r"^!!!COM[^:]*:[ \t]*(\S.*)$", re.M),
    re.compile(r"^C:[ \t]*(\S.*)$", re.M),
)
_WORK = re.compile(r"<work-title>([^<]+)")


class Heading(NamedTuple):
    """What a score calls itself; "" where it does not.

    Attributes:
        title: of the movement where it has one, else of the work.
        work: the title of the whole work.
    """

    title: str
    composer: str
    work: str


def read_score_file(path: str | Path) -> str:
    """The text of a MusicXML (plain or packed), MEI, Humdrum or ABC file.

    Raises:
        ValueError: no such file, another ending, a damaged archive, or an empty file; one sentence that names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file, wanted a score ({', '.join(SHEET_SUFFIXES)})")
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(f"{path}: a score ends with {', '.join(SHEET_SUFFIXES)}")
    text = score_text(path.read_bytes(), str(path))
    if not text.strip():
        raise ValueError(f"{path}: the score is empty")
    return text


def score_text(data: bytes, name: str = "score") -> str:
    """The text in the bytes of a score's file, unpacked where it is an archive.

    Raises:
        ValueError: a damaged archive, or one that is no score; names it.
    """
    if data[:2] == b"PK":
        data = _unpacked(data, name)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{name}: {len(data)} bytes are too many for a score")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = data.decode(encoding, "replace")
    return re.sub(r'^(<\?xml[^>]*encoding=")[^"]+', r"\1UTF-8", text)


def _unpacked(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            container = archive.read("META-INF/container.xml") if "META-INF/container.xml" in names else b""
            root = _ROOT_FILE.search(container)
            inner = root[1].decode() if root else next(one for one in names if one.endswith((".xml", ".musicxml")))
            if archive.getinfo(inner).file_size > _MOST_BYTES:
                raise ValueError(f"{name}: {archive.getinfo(inner).file_size} bytes are too many for a score")
            return archive.read(inner)
    except (zipfile.BadZipFile, KeyError, StopIteration, NotImplementedError, OSError, EOFError) as error:
        raise ValueError(f"{name}: a damaged .mxl archive, or one without a score ({error})") from None


def score_heading(text: str) -> Heading:
    """Title, composer and work of a score's text, of any of the notations.

    >>> score_heading("X:1\\nT:Speed the Plough\\nC:trad.\\nK:G")
    Heading(title='Speed the Plough', composer='trad.', work='')
    """
    head = text[:_HEAD]
    title, composer = (next(filter(None, (_found(one, head) for one in ways)), "") for ways in (_TITLES, _COMPOSERS))
    return Heading(title, composer, _found(_WORK, head))


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return " ".join(html.unescape(match[1]).split()) if match else ""
