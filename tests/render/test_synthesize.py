"""Sound: pitches and onsets by hand, silence where rests are, tails, the same samples again, and what is refused."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest

from hfmusic.render import fluid
from hfmusic.render.soundfonts import find_font, find_fonts, font_name, shipped_font
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer, play_score, trim_release
from hfmusic.symbolic.midi import write_midi
from hfmusic.symbolic.semantic import read_semantic


def midi_of(semantic: str) -> bytes:
    return write_midi(read_semantic(semantic))


def midi_file(messages: list[mido.Message], *, kind: int = 1) -> bytes:
    file = mido.MidiFile(ticks_per_beat=480, type=kind)
    file.tracks.append(mido.MidiTrack(messages))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def note(pitch: int, ticks: int, *, wait: int = 0, channel: int = 0) -> list[mido.Message]:
    return [
        mido.Message("note_on", note=pitch, velocity=64, time=wait, channel=channel),
        mido.Message("note_off", note=pitch, time=ticks, channel=channel),
    ]


def strongest(sound: np.ndarray, low: float, high: float) -> float:
    """Frequency in Hz of the strongest partial between two frequencies."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**18))
    hertz = np.fft.rfftfreq(2**18, 1 / SAMPLING_RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    return float(hertz[np.argmax(spectrum)])


def onset(sound: np.ndarray, since: float) -> float:
    """Second, after `since`, at which a sound first rises to a tenth of its peak."""
    start = int(since * SAMPLING_RATE)
    rest = np.abs(sound[start:])
    return since + float(np.argmax(rest > 0.1 * np.abs(sound).max())) / SAMPLING_RATE


def semitones(frequency: float, wanted: float) -> float:
    return float(12 * np.log2(frequency / wanted))


@pytest.fixture(scope="module")
def piano():
    with Synthesizer(shipped_font()) as synthesizer:
        yield synthesizer


@pytest.fixture(scope="module")
def dry():
    """Without reverb and chorus: what sounds is what is played."""
    with Synthesizer(shipped_font(), reverb=False, chorus=False) as synthesizer:
        yield synthesizer


@pytest.mark.parametrize(("pitch", "hertz"), [("A4", 440.0), ("C4", 261.63), ("F#5", 739.99), ("A2", 110.0)])
def test_pitches(piano: Synthesizer, pitch: str, hertz: float) -> None:
    sound = piano.play(midi_of(f"note-{pitch}_half"))
    assert abs(semitones(strongest(sound, hertz / 1.4, hertz * 1.4), hertz)) < 0.1


def test_the_form_of_a_sound(piano: Synthesizer) -> None:
    sound = piano.play(midi_of("note-A4_quarter"))
    assert sound.dtype == np.float32 and sound.ndim == 1
    assert 0.003 < np.abs(sound).max() < 1


def test_onsets_are_where_they_belong(dry: Synthesizer) -> None:
    text = "note-C4_eighth rest-eighth note-C4_quarter rest-eighth note-C4_sixteenth rest-sixteenth note-C4_quarter"
    sound = dry.play(midi_of(text))
    first = onset(sound, 0.0)  # how long this key takes to a tenth of its peak: the same for each
    assert first < 0.02
    for begin in (0.5, 1.25, 1.5):
        assert onset(sound, begin - 0.02) - first == pytest.approx(begin, abs=0.005)


def test_the_tempo_of_the_file_is_kept(dry: Synthesizer) -> None:
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000, time=0)
    quick = mido.MetaMessage("set_tempo", tempo=250_000, time=0)
    sound = dry.play(midi_file([slow, *note(60, 240), quick, *note(60, 480, wait=480)]))
    # a half of a slow second, then a quick quarter of silence
    assert onset(sound, 0.72) - onset(sound, 0.0) == pytest.approx(0.75, abs=0.005)


def test_rests_are_silent(dry: Synthesizer) -> None:
    sound = dry.play(midi_of("note-C5_quarter rest-whole note-C5_quarter"))
    quiet = sound[int(1.5 * SAMPLING_RATE) : int(2.49 * SAMPLING_RATE)]
    assert np.abs(quiet).max() < 1e-3 * np.abs(sound).max()


def test_ties_do_not_strike_again(dry: Synthesizer) -> None:
    tied = dry.play(midi_of("note-A4_quarter tie note-A4_quarter"))
    np.testing.assert_array_equal(tied, dry.play(midi_of("note-A4_half")))
    assert not np.array_equal(tied, dry.play(midi_of("note-A4_quarter note-A4_quarter")))


def test_rests_at_the_end_stay_and_tails_go(piano: Synthesizer) -> None:
    resting = piano.play(midi_of("note-C5_quarter rest-whole rest-whole"))
    assert len(resting) == 4.5 * SAMPLING_RATE
    plain = piano.play(midi_of("note-C5_quarter"))
    assert 0.5 * SAMPLING_RATE <= len(plain) < 3.5 * SAMPLING_RATE
    assert np.abs(plain[-1]) > 10 ** (-60 / 20) * np.abs(plain).max()  # the last that is heard


def test_only_rests_are_silence(piano: Synthesizer) -> None:
    sound = piano.play(midi_of("rest-half"))
    assert len(sound) == SAMPLING_RATE and np.abs(sound).max() < 1e-6


def test_a_file_that_leaves_the_last_rest_out(piano: Synthesizer) -> None:
    data = midi_of("note-C5_quarter")
    longer = piano.play(data, last_rest=4.5)
    np.testing.assert_array_equal(
        longer, piano.play(midi_of("note-C5_quarter rest-whole rest-whole rest-half"))[:110250]
    )
    assert len(longer) == 5 * SAMPLING_RATE


def test_an_empty_file_is_no_sound(piano: Synthesizer) -> None:
    assert len(piano.play(midi_file([]))) == 0


def test_the_same_again_whatever_came_before(piano: Synthesizer) -> None:
    text = "note-A4_quarter note-C5_eighth rest-eighth note-E5_half"
    first = piano.play(midi_of(text))
    piano.play(midi_of("note-C2_whole"), reverb=False, gain=1.0)
    bend = mido.Message("pitchwheel", pitch=4000)
    pedal = mido.Message("control_change", control=64, value=127)
    piano.play(midi_file([pedal, bend, *note(72, 480)]))
    np.testing.assert_array_equal(piano.play(midi_of(text)), first)
    with Synthesizer(shipped_font()) as another:
        np.testing.assert_array_equal(another.play(midi_of(text)), first)


def test_the_same_whatever_else_is_imported() -> None:
    code = (
        "import hashlib\n"
        "from hfmusic.render.synthesize import *\n"
        "from hfmusic.symbolic.semantic import read_semantic\n"
        "sound = play_score(read_semantic('note-A4_quarter note-C5_eighth note-C3_half'))\n"
        "print(hashlib.sha256(sound.tobytes()).hexdigest())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", first + code], capture_output=True, text=True, check=True).stdout
        for first in ("", "import soundfile\n")
    ]
    assert len(set(runs)) == 1


def test_effects_and_gain_are_switchable(piano: Synthesizer, dry: Synthesizer) -> None:
    data = midi_of("note-A4_quarter rest-quarter")
    wet, drier = piano.play(data), piano.play(data, reverb=False)
    tails = [float(np.abs(s[int(0.8 * SAMPLING_RATE) : SAMPLING_RATE]).max()) for s in (wet, drier, dry.play(data))]
    assert tails[0] > 2 * tails[1]
    louder = dry.play(data, gain=0.4)
    shorter = min(len(louder), SAMPLING_RATE)
    np.testing.assert_allclose(louder[:shorter], 2 * dry.play(data)[:shorter], atol=1e-5)
    np.testing.assert_array_equal(piano.play(data), wet)  # for one file only


def test_loud_sound_is_clipped(dry: Synthesizer) -> None:
    assert np.abs(dry.play(midi_of("note-C4_half"), gain=10.0)).max() <= 1


def test_pedal_and_bend_are_heard(dry: Synthesizer) -> None:
    held = dry.play(
        midi_file([mido.Message("control_change", control=64, value=127), *note(60, 240), *note(0, 1, wait=960)])
    )
    short = dry.play(midi_file([*note(60, 240), *note(0, 1, wait=960)]))
    part = slice(int(0.8 * SAMPLING_RATE), SAMPLING_RATE)
    assert np.abs(held[part]).max() > 10 * np.abs(short[part]).max()
    bent = dry.play(midi_file([mido.Message("pitchwheel", pitch=8191), *note(69, 960)]))
    assert semitones(strongest(bent, 350, 600), 440.0) == pytest.approx(2.0, abs=0.1)  # two semitones, the default


def test_percussion_and_program_changes_are_left_out(dry: Synthesizer) -> None:
    drums = dry.play(midi_file([*note(38, 480, channel=9)]))
    assert len(drums) == SAMPLING_RATE // 2 and not drums.any()
    plain = dry.play(midi_file(note(60, 480)))
    np.testing.assert_array_equal(
        dry.play(midi_file([mido.Message("program_change", program=40), *note(60, 480)])), plain
    )


def test_other_sampling_rates() -> None:
    with Synthesizer(shipped_font(), sampling_rate=44100) as synthesizer:
        sound = synthesizer.play(midi_of("rest-half"))
    assert len(sound) == 44100


def test_a_score_and_the_first_preset() -> None:
    score = read_semantic("note-A4_quarter")
    with Synthesizer(shipped_font(), program=None) as synthesizer:
        assert synthesizer.program == 0
        np.testing.assert_array_equal(play_score(score), synthesizer.play(write_midi(score)))


def test_nothing_is_said_and_no_driver_opens() -> None:
    code = (
        "from hfmusic.render.synthesize import *\n"
        "from hfmusic.symbolic.semantic import read_semantic\n"
        "print(len(play_score(read_semantic('note-A4_quarter rest-whole rest-whole'))))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"CI": "1"})
    assert (run.stdout, run.stderr) == (f"{int(4.5 * SAMPLING_RATE)}\n", "")


class TestTails:
    """`trim_release` on sounds made by hand, 100 samples a second."""

    def test_it_ends_with_the_last_sample_that_is_heard(self) -> None:
        sound = np.zeros(500, np.float32)
        sound[:100], sound[150], sound[170] = 1.0, 0.002, 0.0009
        assert len(trim_release(sound, 1.0, 100)) == 151
        assert len(trim_release(sound, 1.0, 100, decibels=80)) == 171

    def test_never_before_the_music_ends(self) -> None:
        sound = np.zeros(500, np.float32)
        sound[:100] = 1.0
        assert len(trim_release(sound, 2.5, 100)) == 250
        assert len(trim_release(sound[:120], 2.5, 100)) == 250  # what is missing is silence

    def test_a_long_tail_is_cut_and_fades(self) -> None:
        sound = np.ones(1000, np.float32)
        kept = trim_release(sound, 1.0, 100, longest=2.0)
        assert len(kept) == 300 and kept[298] == 1 and kept[299] == 1  # 10 ms of 100 Hz: one sample
        kept = trim_release(np.ones(100_000, np.float32), 1.0, 10_000, longest=2.0)
        assert len(kept) == 30_000 and kept[29_899] == 1 and kept[-1] == 0
        assert np.all(np.diff(kept[29_900:]) < 0)

    def test_silence_lasts_as_long_as_the_music(self) -> None:
        assert len(trim_release(np.zeros(500, np.float32), 2.0, 100)) == 200

    def test_the_given_sound_stays(self) -> None:
        sound = np.ones(1000, np.float32)
        trim_release(sound, 0.1, 1000, longest=0.2)
        assert sound.all()


class TestRefused:
    def test_files_that_are_no_font(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        whole = shipped_font().read_bytes()
        broken = bytearray(whole)
        broken[20:4000] = b"\xff" * 3980
        for name, content in {
            "text.sf2": b"not a font\n" * 50,
            "empty.sf3": b"",
            "cut.sf3": whole[:-5000],
            "head.sf3": whole[:12],
            "broken.sf3": bytes(broken),
        }.items():
            (tmp_path / name).write_bytes(content)
            with pytest.raises(ValueError, match=f"{name} is no SoundFont that FluidSynth can read"):
                Synthesizer(tmp_path / name)

    def test_missing_fonts(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no SoundFont Bechstein: give .* FluidR3_GM.*fluid-soundfont-gm"):
            Synthesizer("Bechstein")
        with pytest.raises(ValueError, match=r"has no 000.sf3 for program 0, only no font"):
            Synthesizer(tmp_path)

    def test_programs_that_the_font_lacks(self) -> None:
        with pytest.raises(ValueError, match=r"000.sf3 has no program 40 in bank 0, only 0"):
            Synthesizer(shipped_font(), program=40)
        with pytest.raises(ValueError, match=r"has no 040.sf3 for program 40, only 000.sf3"):
            Synthesizer(shipped_font().parent, program=40)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"program": 128}, "program must be 0 to 127, got 128"),
            ({"sampling_rate": 100}, "sampling_rate must be 8,000 to 96,000 Hz, got 100"),
            ({"gain": 0}, "gain must be above 0 and at most 10, got 0"),
        ],
    )
    def test_options(self, options: dict[str, int], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            Synthesizer(shipped_font(), **options)

    def test_what_is_no_midi(self, piano: Synthesizer) -> None:
        with pytest.raises(ValueError, match="not a standard MIDI file"):
            piano.play(b"RIFF....")
        with pytest.raises(ValueError, match="lasts longer than 3600 s"):
            piano.play(midi_file(note(60, 10_000_000)))
        with pytest.raises(ValueError, match="type 2 holds several pieces"):
            piano.play(midi_file(note(60, 480), kind=2))


class TestMissingLibrary:
    @pytest.fixture(autouse=True)
    def _forget(self):
        fluid.fluidsynth_module.cache_clear()
        yield
        fluid.fluidsynth_module.cache_clear()

    @pytest.mark.parametrize(
        ("system", "command"),
        [
            ("linux", "apt-get install libfluidsynth3"),
            ("darwin", "brew install fluid-synth"),
            ("win32", "choco install fluidsynth"),
        ],
    )
    def test_it_says_what_to_install(self, system: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails() -> None:
            raise ImportError("Couldn't find the FluidSynth library.")

        monkeypatch.setattr(fluid, "_import", fails)
        monkeypatch.setattr(sys, "platform", system)
        fluid.install_advice.cache_clear()
        try:
            with pytest.raises(ValueError, match=f"sound needs FluidSynth's library, which is not here: {command}"):
                Synthesizer(shipped_font())
        finally:
            fluid.install_advice.cache_clear()

    def test_without_the_binding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fluidsynth", None)
        real = builtins.__import__

        def absent(name: str, *args: object, **options: object) -> object:
            if name == "fluidsynth":
                raise ModuleNotFoundError("No module named 'fluidsynth'", name="fluidsynth")
            return real(name, *args, **options)

        monkeypatch.setattr(builtins, "__import__", absent)
        with pytest.raises(ValueError, match="which is not here: pip install pyfluidsynth"):
            fluid.fluidsynth_module()


class TestFonts:
    def test_the_shipped_one_is_found_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HFMUSIC_FONTS", raising=False)
        assert find_font("FluidR3_GM") == shipped_font()
        assert find_fonts()["FluidR3_GM"] == shipped_font().parent
        assert (shipped_font().parent / "LICENSE").is_file()

    def test_a_folder_of_fonts_in_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("Steinway/000.sf3", "Steinway/040.sf3", "Upright.sf2"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        monkeypatch.setenv("HFMUSIC_FONTS", f"/nowhere:{tmp_path}")
        assert find_font("Steinway", 40) == tmp_path / "Steinway" / "040.sf3"
        assert find_font("Upright", 7) == tmp_path / "Upright.sf2"
        assert {"Steinway", "Upright", "FluidR3_GM"} <= set(find_fonts())

    def test_names(self) -> None:
        assert font_name(Path("fonts/SGM/000.sf3")) == "SGM" == font_name(Path("fonts/SGM"))
        assert font_name(Path("fonts/SGM.sf2")) == "SGM"
