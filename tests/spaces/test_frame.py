"""What the demos share: scores that play, readings in a table, limits, words for errors, and the command."""

from __future__ import annotations

import html
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio
import pytest
import yaml
from gradio_client import Client
from PIL import Image
from typer.testing import CliRunner

from hfmusic.cli import app
from hfmusic.demo.aligned import Row, aligned, table
from hfmusic.demo.player import MOST_SYMBOLS, plan_of, player
from hfmusic.demo.serving import SHIPPED, build_space, in_words, kept_file, plain, serve, spaces, stem_of
from hfmusic.reading.pages import page_count
from hfmusic.render.engrave_lines import engrave_lines
from hfmusic.rendering import read_tokens
from hfmusic.symbolic.mei import write_mei
from hfmusic.symbolic.semantic import read_semantic

TUNE = "clef-G2 keySignature-GM timeSignature-3/4 note-G4_quarter note-A4_half tie barline note-A4_half. barline"


def test_lines_are_broken_to_their_width_and_every_symbol_is_in_them() -> None:
    score = read_semantic(f"{TUNE} {' '.join(['note-B4_quarter'] * 3 + ['barline'])} " * 12)
    wide, narrow = engrave_lines(write_mei(score), (2000, 700))
    timed = [moment[1] for moment in plan_of(score)["moments"]]  # type: ignore[attr-defined]
    for svg in (wide, narrow):
        assert all(f'id="{name}"' in svg for name in timed)
    assert 1 < wide.count('class="system"') < narrow.count('class="system"')


def test_music_that_cannot_be_engraved_is_refused() -> None:
    with pytest.raises(ValueError, match="Verovio"):
        engrave_lines("no music at all <", (2000,))
    with pytest.raises(ValueError, match=f"the music has {MOST_SYMBOLS + 1} symbols; at most {MOST_SYMBOLS} are shown"):
        player(read_semantic(["note-C4_quarter"] * (MOST_SYMBOLS + 1)))


def test_a_player_says_what_sounds_and_where_the_cursor_goes() -> None:
    plan = plan_of(read_semantic("gracenote-D5_eighth note-C5_quarter multirest-2 timeSignature-2/4 multirest-1"))
    assert plan["sounds"] == [[0.0, 1.0, 72]]
    assert plan["moments"] == [[0.0, "n1"], [1.0, "n2"], [9.0, "n4"]] and plan["end"] == 11.0
    page = player(read_semantic(TUNE), tempo=1000)
    found = re.search('data-plan="([^"]*)"', page)
    assert found and json.loads(html.unescape(found[1])) == plan_of(read_semantic(TUNE))
    assert 'value="240"' in page and '<div class="hfm-wide"><svg' in page and '<div class="hfm-narrow"><svg' in page
    assert "svg" not in player(read_semantic(""))


def test_readings_stand_below_what_they_read() -> None:
    truth = Row("truth", ["clef-G2", "note-C4_half", "barline"])
    ear = Row("ear <1>", ["note-D4_half", "note-E4_half", "barline"], [0.5, 0.25, 1.0])
    rows = aligned(truth, [ear])
    assert len({len(row) for row in rows}) == 1
    kinds = {cell.token: cell.kind for cell in rows[1] if cell.token}
    assert kinds["barline"] == "" and {"wrong"} <= set(kinds.values()) <= {"", "wrong", "extra"}
    written = table(truth, [ear], truth=True)
    assert "SER 66.7 %, 2 edits" in written and "ear &lt;1&gt;" in written and "25 % sure" in written
    assert "SER" not in table(truth, [ear], truth=False)
    assert "all right" in table(truth, [Row("eye", truth.tokens)], truth=True)
    assert aligned(Row("none", []), [Row("one", ["barline"])])[1][0].kind == "extra"


def test_tokens_are_read_as_a_file_of_them_is() -> None:
    assert list(read_tokens("clef-G2, note-C4_half").tokens) == ["clef-G2", "note-C4_half"]
    with pytest.raises(ValueError, match="no music in an empty text"):
        read_tokens(" \n")
    with pytest.raises(ValueError, match="the text: a rest of measures with the number 1000; at most 999"):
        read_tokens("clef-G2 multirest-1000")
    with pytest.raises(ValueError, match="token 1, 'tie' .* is a tie that joins no two notes"):
        read_tokens("tie note-C4_half")


def test_pages_are_counted(tmp_path: Path) -> None:
    for name in ("a.tif", "a.pdf"):
        blank = [Image.new("L", (60, 40), 255) for _ in range(3)]
        blank[0].save(tmp_path / name, save_all=True, append_images=blank[1:])
    Image.new("L", (60, 40), 255).save(tmp_path / "a.png")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 and no more")
    counts = {path.name: page_count(path) for path in tmp_path.iterdir()}
    assert counts == {"a.pdf": 3, "a.tif": 3, "a.png": 1, "b.pdf": 1}
    assert page_count(tmp_path / "missing.png") == 1


def test_errors_are_words_and_faults_of_ours_are_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    uploaded = Path(tempfile.gettempdir()) / "gradio" / "0ff1ce" / "cat.png"

    def fails(error: Exception) -> None:
        raise error

    with pytest.raises(gradio.Error) as wrong:
        in_words(fails)(ValueError(f"{uploaded}: no staff was found"))
    assert wrong.value.message == "cat.png: no staff was found"
    with pytest.raises(gradio.Error, match="It is our fault"):
        in_words(fails)(KeyError("secret"))
    assert "KeyError" in caplog.text
    assert plain("nothing to hide") == "nothing to hide"
    assert stem_of("../../my song?.png") == "my_song" and stem_of("/tmp/???.png") == "music"


def test_files_to_download_are_written_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    first = Path(kept_file("a.mid", b"MThd"))
    inode = first.stat().st_ino
    assert kept_file("a.mid", b"MThd") == str(first) and first.stat().st_ino == inode
    assert kept_file("a.mid", "other") != str(first) and first.read_bytes() == b"MThd"


def test_the_queue_is_no_longer_than_it_may_be(connect: Callable[[str], Client]) -> None:
    go = threading.Event()
    with gradio.Blocks() as page:
        gradio.Button().click(lambda: go.wait(60), None, gradio.Textbox(), api_name="wait")
    client = connect(serve(page, block=False, waiting=2))
    try:
        jobs: list[Any] = []
        for _ in range(4):
            jobs.append(client.submit(api_name="/wait"))
        refused = _first_error(jobs)
        go.set()
        assert "full" in refused.lower()
        assert sum(_answered(job) for job in jobs) in (2, 3)  # one at work, two waiting
    finally:
        go.set()
        page.close(verbose=False)


def _first_error(jobs: list[Any]) -> str:
    from concurrent.futures import FIRST_EXCEPTION, wait

    done, _ = wait([job.future for job in jobs], timeout=60, return_when=FIRST_EXCEPTION)
    return next(str(future.exception()) for future in done if future.exception())


def _answered(job: Any) -> bool:
    return job.exception(timeout=60) is None


@pytest.mark.parametrize("name", ["read", "transfer"])
def test_a_space_is_complete(name: str) -> None:
    folder = SHIPPED[0] / name
    front = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and front["license"] == "apache-2.0" and front["app_file"] == "app.py"
    assert front["sdk_version"] == gradio.__version__
    assert len(front["short_description"]) <= 60  # the Hub's limit
    models = {path.name for path in (SHIPPED[0].parent / "model_cards").iterdir()}
    assert {one.removeprefix("NAMESPACE/") for one in front["models"]} <= models
    assert "hfmusic[demo]" in (folder / "requirements.txt").read_text()
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 1_000_000


def test_the_command_opens_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"read", "transfer"} <= set(spaces())
    with pytest.raises(ValueError, match="no demo 'write': there are .*read"):
        build_space("write")
    answer = CliRunner().invoke(app, ["demo", "--help"])
    assert answer.exit_code == 0 and "not shared with others" in " ".join(answer.output.split())
    served: list[Any] = []
    monkeypatch.setattr("hfmusic.demo.serving.serve", lambda page, *, port: served.append((page.title, port)))
    assert CliRunner().invoke(app, ["demo", "transfer", "--port", "7999"]).exit_code == 0
    assert served == [("Transfer lab", 7999)]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
