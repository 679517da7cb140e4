"""Scores from outside engraved in a process of their own: Verovio may abort on one, which then costs that one only."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from .score_files import read_score_file
from .score_sheet import Layout, SheetStyle, engrave_text
from .sheet import Sheet

_LENGTH_BYTES = 8


def engrave_score(
    score: str | Path, *, layout: Layout = "pages", font: str = "Leipzig", timeout_s: float = 170.0
) -> Sheet:
    """The pages of a score, where its notes are on them, and when they sound.

    The child process starts with the first call and serves this process until it ends. What becomes of repeats, grace
    notes, ornaments and ties says `hfmusic.render.score_sheet`.

    Args:
        score: a file (.mxl, .musicxml, .xml, .mei, .krn, .kern, .abc), or its text: what has a line break or begins
            with "<" is text.
        layout: "pages", or "row": one system of any length. Verovio takes more than its share of time for long rows:
            0.1 to 5 s for a song, most of a minute for a quartet's movement.
        font: Verovio's music font.
        timeout_s: seconds that one score may take.

    Raises:
        ValueError: no such file, a damaged one, nothing that Verovio reads, nothing that sounds, or Verovio aborts or
            takes too long; one sentence that names the file.
    """
    style = SheetStyle(layout, font)
    if isinstance(score, str) and ("\n" in score or score.lstrip().startswith("<")):
        return _worker(os.getpid()).engrave(score, style, timeout_s)
    text = read_score_file(score)
    try:
        return _worker(os.getpid()).engrave(text, style, timeout_s)
    except ValueError as error:
        raise ValueError(f"{score}: {error}") from None


class ScoreWorker:
    """A child process that engraves one score at a time. `engrave` may be called from several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def engrave(self, text: str, style: SheetStyle, timeout_s: float) -> Sheet:
        """As `engrave_score`, of a text."""
        with self._lock:
            process = self._running()
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(timeout_s, expire)
            timer.start()
            try:
                answer = _ask(process, (text, style))
            finally:
                timer.cancel()
            if answer is None:
                raise ValueError(self._cause(process, expired.is_set(), timeout_s))
        if isinstance(answer, str):
            raise ValueError(answer)
        return answer

    def close(self) -> None:
        """Ends the child process; a later `engrave` starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):  # what was still to be written to a child that is gone
                        stream.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            paths = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hfmusic.render.engrave_score"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
            )
        return self._process

    def _cause(self, process: subprocess.Popen[bytes], expired: bool, timeout_s: float) -> str:
        code = process.wait()
        self.close()
        if expired:
            return f"Verovio took longer than {timeout_s:g} s for this score"
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"Verovio aborted on this score ({name})"


# Requests and answers are pickles: they pass between this process and its own child only.
def _ask(process: subprocess.Popen[bytes], request: tuple[str, SheetStyle]) -> Sheet | str | None:
    """The child's sheet, its complaint, or None if it died."""
    assert process.stdin is not None and process.stdout is not None
    data = pickle.dumps(request)
    try:
        process.stdin.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
        process.stdin.flush()
    except OSError:
        return None
    head = process.stdout.read(_LENGTH_BYTES)
    body = process.stdout.read(int.from_bytes(head, "little"))
    if len(head) < _LENGTH_BYTES or len(body) < int.from_bytes(head, "little"):
        return None
    answer = pickle.loads(body)
    assert isinstance(answer, (Sheet, str))
    return answer


@cache
def _worker(process_id: int) -> ScoreWorker:
    """One worker for each process: a forked copy must not speak into its parent's pipe."""
    worker = ScoreWorker()
    atexit.register(worker.close)
    return worker


def _serve() -> None:
    """The child: requests from standard input, an answer each to what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    while head := sys.stdin.buffer.read(_LENGTH_BYTES):
        text, style = pickle.loads(sys.stdin.buffer.read(int.from_bytes(head, "little")))
        try:
            answer: Sheet | str = engrave_text(text, style)
        except Exception as error:  # the parent raises it for this one score
            answer = str(error) or type(error).__name__
        data = pickle.dumps(answer)
        answers.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
        answers.flush()


if __name__ == "__main__":
    _serve()
