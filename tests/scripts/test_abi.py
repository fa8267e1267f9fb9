"""The checks of the ABI find what they are for: each is run on a copy that was changed on purpose."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "tests" / "abi"
SYMBOLS = (ABI / "symbols.txt").read_text().split()


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)


# -- exported symbols and SONAME


def library(folder: Path, symbols: list[str], soname: str = "libtelelink.so.0") -> Path:
    """A shared library that exports these symbols and nothing else."""
    source = folder / "library.c"
    source.write_text("".join(f"void {name}(void) {{}}\n" for name in symbols))
    result = folder / "libtelelink.so.0"
    built = run("cc", "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{soname}", "-o", result, source)
    assert built.returncode == 0, built.stderr
    return result


def check_symbols(file: Path) -> subprocess.CompletedProcess[str]:
    return run(ABI / "check_symbols.sh", file)


def test_the_committed_symbols_pass(tmp_path: Path) -> None:
    checked = check_symbols(library(tmp_path, SYMBOLS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_missing_symbol_is_found(tmp_path: Path) -> None:
    checked = check_symbols(library(tmp_path, [name for name in SYMBOLS if name != "telelink_channel_log"]))
    assert checked.returncode != 0
    assert "-telelink_channel_log\n" in checked.stdout


def test_a_new_symbol_is_found(tmp_path: Path) -> None:
    checked = check_symbols(library(tmp_path, [*SYMBOLS, "rust_eh_personality"]))
    assert checked.returncode != 0
    assert "+rust_eh_personality\n" in checked.stdout


def test_another_soname_is_found(tmp_path: Path) -> None:
    checked = check_symbols(library(tmp_path, SYMBOLS, soname="libtelelink.so.1"))
    assert checked.returncode != 0
    assert "'libtelelink.so.1'" in checked.stderr


# -- struct layout


def compile_layout(include: Path) -> subprocess.CompletedProcess[str]:
    return run("cc", "-std=c11", "-fsyntax-only", "-I", include, ABI / "layout.c")


@pytest.fixture
def include(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "include", tmp_path / "include"))


def change(include: Path, before: str, after: str, header: str = "telelink.h") -> None:
    file = include / "telelink" / header
    text = file.read_text()
    assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {header}"
    file.write_text(text.replace(before, after))


def struct(include: Path, name: str, header: str = "telelink.h") -> str:
    """The definition of a struct, as it stands in the header."""
    found = re.search(
        rf"^typedef struct {name} {{\n.*?^}} {name};\n", (include / "telelink" / header).read_text(), re.M | re.S
    )
    assert found, f"no struct {name} in {header}"
    return found[0]


def test_the_committed_layout_passes(include: Path) -> None:
    compiled = compile_layout(include)
    assert compiled.returncode == 0, compiled.stderr


def test_a_field_in_the_middle_is_found(include: Path) -> None:
    """S-270: fields are appended."""
    text = struct(include, "telelink_session_options")
    change(
        include,
        text,
        text.replace("  struct telelink_str token;\n", "  uint64_t new_one;\n  struct telelink_str token;\n"),
    )
    compiled = compile_layout(include)
    assert compiled.returncode != 0
    assert "offsetof(telelink_session_options, token)" in compiled.stderr


def test_a_field_at_the_end_is_found(include: Path) -> None:
    """Allowed, but layout.h has to say so."""
    text = struct(include, "telelink_session_options")
    change(
        include, text, text.replace("} telelink_session_options;", "  uint64_t new_one;\n} telelink_session_options;")
    )
    compiled = compile_layout(include)
    assert compiled.returncode != 0
    assert "sizeof(telelink_session_options)" in compiled.stderr


def test_a_field_of_another_size_is_found(include: Path) -> None:
    text = struct(include, "telelink_test_frame", "testing.h")
    change(include, text, text.replace("  uint32_t width;", "  uint64_t width;"), "testing.h")
    compiled = compile_layout(include)
    assert compiled.returncode != 0
    assert "telelink_test_frame" in compiled.stderr


def test_a_field_that_is_gone_is_found(include: Path) -> None:
    text = struct(include, "telelink_str")
    change(include, text, re.sub(r"  size_t len;\n", "  size_t length;\n", text))
    compiled = compile_layout(include)
    assert compiled.returncode != 0
    assert "len" in compiled.stderr


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def test_the_layout_names_every_field_of_every_struct() -> None:
    """A field that layout.h leaves out could change its place unseen, as long as the size stays."""
    layout = (ABI / "layout.h").read_text()
    missing = []
    structs = 0
    for header in ("telelink.h", "testing.h"):
        text = without_comments((ROOT / "include" / "telelink" / header).read_text())
        for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.S):
            structs += 1
            fields = [
                re.search(r"\(\*(\w+)\)|(\w+)\s*(?:\[\w+\])?\s*$", field) for field in body.split(";") if field.strip()
            ]
            names = [field[1] or field[2] for field in fields if field]
            assert len(names) == len(fields), f"{name}: a field that this test cannot read"
            if f"SIZE({name}, " not in layout:
                missing.append(f"SIZE({name})")
            missing += [f"AT({name}, {field})" for field in names if f"AT({name}, {field}, " not in layout]
    assert structs > 20
    assert not missing


def test_every_function_that_takes_a_pointer_is_called_with_null() -> None:
    """S-273. tests/capi/null_test.cc says what each of them answers."""
    headers = "".join(
        without_comments((ROOT / "include" / "telelink" / header).read_text()) for header in ("telelink.h", "testing.h")
    )
    null_test = (ROOT / "tests" / "capi" / "null_test.cc").read_text()
    checked = 0
    missing = []
    for name in SYMBOLS:
        declared = re.search(rf"\b{name}\(([^;]*)\);", headers)
        assert declared, f"no header declares {name}"
        # telelink_str and telelink_bytes are pointers too.
        if "*" in declared[1] or "telelink_str" in declared[1] or "telelink_bytes" in declared[1]:
            checked += 1
            if not re.search(rf"\b{name}\([^;]*\bnullptr\b", null_test):
                missing.append(name)
    assert checked > 100
    assert not missing


# -- what a package may need


def program(folder: Path, *flags: str) -> Path:
    source = folder / "program.c"
    source.write_text(
        "#include <math.h>\nint main(int count, char **words) { (void)words; return (int)pow(count, 2.5); }\n"
    )
    result = folder / "program"
    built = run("cc", "-O0", "-o", result, source, *flags, "-lm")
    assert built.returncode == 0, built.stderr
    return result


def machine() -> str:
    return run("uname", "-m").stdout.strip()


def check_elf(file: Path, floor: str = "9.99", of: str | None = None) -> subprocess.CompletedProcess[str]:
    return run(ABI / "check_elf.sh", floor, of or machine(), file)


def test_a_plain_program_passes(tmp_path: Path) -> None:
    checked = check_elf(program(tmp_path))
    assert checked.returncode == 0, checked.stderr


def test_a_newer_glibc_is_found(tmp_path: Path) -> None:
    checked = check_elf(program(tmp_path), floor="2.2")
    assert checked.returncode != 0
    assert re.search(r"needs GLIBC_2\.\d+, the floor is 2\.2: .*\bpow\b", checked.stderr)


def test_another_machine_is_found(tmp_path: Path) -> None:
    checked = check_elf(program(tmp_path), of="x86_64" if machine() != "x86_64" else "aarch64")
    assert checked.returncode != 0
    assert "is for" in checked.stderr


def test_another_library_is_found(tmp_path: Path) -> None:
    library(tmp_path, ["telelink_abi_version"])
    checked = check_elf(program(tmp_path, "-Wl,--no-as-needed", f"-L{tmp_path}", "-l:libtelelink.so.0"))
    assert checked.returncode != 0
    assert "needs the library libtelelink.so.0" in checked.stderr


def test_a_search_path_is_found(tmp_path: Path) -> None:
    checked = check_elf(program(tmp_path, "-Wl,-rpath,/home/somebody"))
    assert checked.returncode != 0
    assert "/home/somebody" in checked.stderr


def test_an_executable_stack_is_found(tmp_path: Path) -> None:
    checked = check_elf(program(tmp_path, "-Wl,-z,execstack"))
    assert checked.returncode != 0
    assert "executable stack" in checked.stderr


def test_what_is_no_program_is_found(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    for file in (text, tmp_path / "nothing"):
        checked = check_elf(file)
        assert checked.returncode != 0
        assert "is no ELF file" in checked.stderr
