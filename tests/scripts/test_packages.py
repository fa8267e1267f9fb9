"""What the pages about packages say is true: the code of docs/install.md, the codecs of docs/licensing.md."""

import re
import sys
from pathlib import Path

import livekit_codecs

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r"^LIVEKIT_VERSION=(\S+)$", (ROOT / "scripts" / "versions.sh").read_text(), re.M)
assert VERSION
LIBRARY = ROOT / ".tools" / "livekit" / VERSION[1] / "liblivekit_ffi.so"
LICENSING = (ROOT / "docs" / "licensing.md").read_text()


def block(page: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S)
    assert found, f"no block of {language} in {page}"
    return found[1]


def program(path: Path, comment: str) -> str:
    """The file without its own comments."""
    return "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith(comment))


def test_the_robot_of_the_install_page_is_the_one_that_is_tested() -> None:
    assert block("install.md", "cpp") == program(ROOT / "tests" / "package" / "robot.cpp", "//")


def test_the_project_of_the_install_page_is_the_one_that_is_tested() -> None:
    assert block("install.md", "cmake") == program(ROOT / "tests" / "package" / "CMakeLists.txt", "#")


def test_the_licensing_page_lists_the_codecs_of_the_library() -> None:
    """Fails when the LiveKit version changes what is in it: then look again, and change the page."""
    found = {name for _, name, _ in livekit_codecs.codecs(livekit_codecs.Image(LIBRARY.read_bytes()))}
    rows = re.findall(r"^\| (?:video|audio) decoders \| (.*) \|$", LICENSING, re.M)
    assert len(rows) == 2
    words = re.sub(r" \(by .*?\)", "", ", ".join(rows)).replace("PCM: ", "").split(", ")
    names = {
        "H.264": "h264",
        "AAC": "aac",
        "FLAC": "flac",
        "MP3": "mp3",
        "Vorbis": "vorbis",
        "Opus": "libopus",
        "A-law": "pcm_alaw",
        "µ-law": "pcm_mulaw",
    }
    assert {names.get(word, f"pcm_{word}") for word in words} == found


def test_the_licensing_page_names_the_versions_of_the_library() -> None:
    data = LIBRARY.read_bytes()
    for pattern in (rb"VP8 Decoder (v[\w.-]+)", rb"AV1 Encoder (\d[\w.-]+)", rb"WebRTC source stamp (\d+-\d+-\d+)"):
        found = re.search(pattern, data)
        assert found and found[1].decode() in LICENSING
    assert f"version {VERSION[1]}" in LICENSING


def test_nothing_of_ffmpeg_that_is_gpl_is_in_the_library() -> None:
    data = LIBRARY.read_bytes()
    for name, pattern in livekit_codecs.MARKS.items():
        if "(GPL)" in name or name in ("FFmpeg configuration", "libavformat", "libavfilter"):
            assert not re.search(pattern, data), name


def test_another_file_is_refused() -> None:
    for data in (b"", b"text", Path(sys.executable).read_bytes()[:4]):
        try:
            livekit_codecs.Image(data)
        except SystemExit as error:
            assert "ELF" in str(error)
        else:
            raise AssertionError("taken")
