"""scripts/tutorial.py: what it takes from a page, and that a page that is wrong is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_links
import tutorial

PAGE = """
```sh terminal=1 until='/log {"a": [0-9]+}'
echo hello
```
```cpp below="// Options"
x
```
```text
as it may look
```
"""


def test_blocks_have_what_stands_behind_their_language() -> None:
    blocks = tutorial.read_blocks(PAGE)
    assert [(block.language, block.options) for block in blocks] == [
        ("sh", {"terminal": "1", "until": '/log {"a": [0-9]+}'}),
        ("cpp", {"below": "// Options"}),
        ("text", {}),
    ]
    assert blocks[0].text == "echo hello\n"


def test_code_goes_below_its_line_which_there_is_once() -> None:
    program = "a\n  // Here\nb\n"
    assert tutorial.insert_below(program, "// Here", "c\n") == "a\n  // Here\nc\nb\n"
    for wrong in ("// There", ""):
        with pytest.raises(tutorial.TutorialError, match="0 lines"):
            tutorial.insert_below(program, wrong, "c\n")
    with pytest.raises(tutorial.TutorialError, match="2 lines"):
        tutorial.insert_below(program + program, "// Here", "c\n")


def follow(tmp_path: Path, *blocks: tutorial.Block) -> None:
    reader = tutorial.Reader(tmp_path, 7880)
    try:
        for block in blocks:
            reader.follow(block)
    finally:
        for terminal in reader.terminals.values():
            terminal.close()


def test_commands_are_typed_and_what_they_print_is_compared(tmp_path: Path) -> None:
    type_it = tutorial.Block("sh", {"terminal": "1"}, "cd ~\necho hello\n")
    stay = tutorial.Block("sh", {"terminal": "1", "until": "ready"}, "bash -c 'echo ready; exec sleep 1000'\n")
    right, wrong = (tutorial.Block("text", {"output": ""}, text) for text in ("hello\n", "goodbye\n"))
    write = tutorial.Block("cpp", {"file": "main.cpp"}, "int main() {}\n")
    # The long sleep ends with the next command, by Ctrl-C.
    follow(tmp_path, type_it, right, write, stay, type_it, right)
    assert (tmp_path / "main.cpp").read_text() == "int main() {}\n"
    with pytest.raises(tutorial.TutorialError, match="instead of\ngoodbye"):
        follow(tmp_path, type_it, wrong)


def test_a_command_that_fails_and_a_block_that_nobody_understands_are_found(tmp_path: Path) -> None:
    with pytest.raises(tutorial.TutorialError, match="a command failed in terminal 1"):
        follow(tmp_path, tutorial.Block("sh", {"terminal": "1"}, "false\necho hello\n"))
    with pytest.raises(tutorial.TutorialError, match="nobody knows"):
        follow(tmp_path, tutorial.Block("sh", {}, "echo hello\n"))


def test_links_that_lead_nowhere_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "index.html").write_text("<p>")
    good = '<a href="b.html#there">b</a> <a href="https://example.org/">e</a> <a href="api/">api</a>'
    (tmp_path / "a.html").write_text(good)
    (tmp_path / "b.html").write_text('<h2 id="there">')
    assert check_links.main(tmp_path) == 0
    (tmp_path / "a.html").write_text(f'{good} <a href="b.html#gone">b</a> <a href="c.html">c</a>')
    check_links.read.cache_clear()
    assert check_links.main(tmp_path) == 1
    said = capsys.readouterr().err
    assert "b.html#gone leads to no place" in said
    assert "c.html leads to no file" in said
