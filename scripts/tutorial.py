#!/usr/bin/env python3
"""Follows docs/tutorial.md as a reader would: writes its files, makes its changes, types its commands into terminals.

What a block is for stands behind its language: file=NAME and below="LINE" for code, terminal=N for commands, with
until=REGEX (the last command goes on running; it has begun when its output has this). A block `text output` is exactly
what the commands before it print. A new command for a terminal ends what still runs there, with Ctrl-C. Changed are
only the home folder, a temporary one, and the server's port, a free one.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import sys
import tempfile
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import livekit_server

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
# A build from nothing takes minutes; everything else seconds.
LIMIT_S = 900.0
# From one Ctrl-C to the next.
INTERRUPT_S = 10.0
SERVER_PORT = "7880"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAILED = "__failed__"


class TutorialError(Exception):
    """The page does not do what it says."""


@dataclass
class Block:
    """A fenced block of the page."""

    language: str
    options: dict[str, str]
    text: str


def read_blocks(markdown: str) -> list[Block]:
    blocks = []
    for language, info, text in FENCE.findall(markdown):
        words = (word.partition("=") for word in shlex.split(info))
        blocks.append(Block(language, {key: value for key, _, value in words}, text))
    return blocks


def insert_below(program: str, line: str, text: str) -> str:
    """The program with `text` below its one line `line`."""
    lines = program.splitlines(keepends=True)
    places = [number for number, each in enumerate(lines) if each.strip() == line]
    if len(places) != 1:
        raise TutorialError(f"the program has {len(places)} lines {line!r}, not one")
    return "".join([*lines[: places[0] + 1], text, *lines[places[0] + 1 :]])


class Terminal:
    """A bash in a terminal of its own."""

    def __init__(self, number: str, environment: dict[str, str]) -> None:
        self.number, self.running, self._output, self._blocks = number, False, "", 0
        self._judged_from = 0
        self._grown = threading.Condition()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            # A program started in the background ignores Ctrl-C, and so would all that it starts.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            shell = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
            os.chdir(ROOT)
            os.execvpe(shell[0], shell, environment | {"PS1": "", "PS2": "", "TERM": "dumb"})
        quiet = termios.tcgetattr(self._fd)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(self._fd, termios.TCSANOW, quiet)
        threading.Thread(target=self._read, daemon=True).start()
        self._type(f"trap 'echo {FAILED} $BASH_COMMAND' ERR; set -o pipefail\n")

    @property
    def folder(self) -> Path:
        return Path(f"/proc/{self.pid}/cwd").readlink()

    def run(self, block: Block) -> str:
        """Types the block's commands; what they print, as far as it was waited for."""
        self.interrupt()
        start = len(self._output)
        self._type(block.text)
        if until := block.options.get("until"):
            self.running = True
            self._wait(until, start)
            return self._output[start:]
        end = self._wait_until_done()
        return self._output[start:end]

    def interrupt(self) -> None:
        """Ctrl-C for what runs; more than once, as one that comes before the program has begun is lost."""
        if not self.running:
            return
        # How a program ends that is told to is its own business.
        self._judged_from, self.running = sys.maxsize, False
        deadline = time.monotonic() + LIMIT_S
        while True:
            self._type("\x03")
            try:
                self._judged_from = self._wait_until_done(INTERRUPT_S)
                return
            except TutorialError:
                if time.monotonic() > deadline:
                    raise

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def tail(self) -> str:
        return f"--- terminal {self.number} ends with\n{self._output[-3000:]}"

    def _wait_until_done(self, limit: float = LIMIT_S) -> int:
        """Where the output of the commands ends."""
        self._blocks += 1
        mark = f"__done_{self._blocks}__"
        start = len(self._output)
        # Cut in two, so that no echo can be taken for it.
        self._type(f"echo __done_''{self._blocks}__\n")
        return self._wait(mark, start, limit).start()

    def _wait(self, pattern: str, start: int, limit: float = LIMIT_S) -> re.Match[str]:
        deadline = time.monotonic() + limit
        with self._grown:
            while True:
                if FAILED in self._output[self._judged_from :]:
                    raise TutorialError(f"a command failed in terminal {self.number}")
                if found := re.compile(pattern).search(self._output, start):
                    return found
                if not self._grown.wait(deadline - time.monotonic()):
                    raise TutorialError(f"terminal {self.number} did not show {pattern!r} in {limit:.0f} s")

    def _type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # the shell is gone
                return
            with self._grown:
                self._output += data.decode(errors="replace").replace("\r\n", "\n")
                self._grown.notify_all()


class Reader:
    """Somebody who does what the page says."""

    def __init__(self, home: Path, port: int) -> None:
        self.terminals: dict[str, Terminal] = {}
        self.port, self.last_output, self.files = port, "", 0
        self._environment = dict(os.environ) | {"HOME": str(home)} | server_configuration(port)
        # The tools of the person who runs this, which are found by way of the home folder.
        for name, folder in {"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv"}.items():
            self._environment.setdefault(name, str(Path.home() / folder))
        # What a new terminal has not.
        for name in ("LIVEKIT_URL", "LIVEKIT_TOKEN", "LIVEKIT_SERVER", "LIVEKIT_LIB_PATH", "TELELINK_LIVEKIT_LIBRARY"):
            self._environment.pop(name, None)

    def follow(self, block: Block) -> None:
        match block:
            case Block("sh", {"terminal": number}):
                if number not in self.terminals:
                    self.terminals[number] = Terminal(number, self._environment)
                typed = Block("sh", block.options, block.text.replace(SERVER_PORT, str(self.port)))
                self.last_output = self.terminals[number].run(typed)
            case Block(_, {"file": name}):
                (self.terminals["1"].folder / name).write_text(block.text)
                self.files += 1
            case Block("cpp", {"below": line}):
                program = self.terminals["1"].folder / "main.cpp"
                program.write_text(insert_below(program.read_text(), line, block.text))
            case Block("text", {"output": _}):
                if self.last_output != block.text:
                    raise TutorialError(f"the commands printed\n{self.last_output}instead of\n{block.text}")
            case Block("text", {}):
                pass  # an example of what is shown, with figures that differ
            case _:
                raise TutorialError(f"nobody knows what to do with a block {block.language} {block.options}")

    def finish(self) -> None:
        for number in ("3", "1", "2"):
            self.terminals[number].interrupt()


def server_configuration(port: int) -> dict[str, str]:
    """Where livekit-server finds its port, and media that stays on loopback whatever interfaces the machine has."""
    rtc = f"tcp_port: {port + 1}, udp_port: {port + 2}, use_external_ip: false, enable_loopback_candidate: true"
    return {
        "LIVEKIT_CONFIG": f"{{port: {port}, rtc: {{{rtc}, interfaces: {{includes: [lo]}}}}}}",
        "NODE_IP": "127.0.0.1",
    }


def main() -> int:
    blocks = read_blocks(PAGE.read_text())
    with tempfile.TemporaryDirectory(prefix="telelink-tutorial-") as home:
        reader = Reader(Path(home), livekit_server.free_port_triple())
        try:
            for number, block in enumerate(blocks, 1):
                started = time.monotonic()
                reader.follow(block)
                title = block.text.splitlines()[-1][:80]
                print(f"{number:3} {time.monotonic() - started:5.1f} s  {block.language:5} {title}", flush=True)
            reader.finish()
        except TutorialError as error:
            tails = "\n".join(terminal.tail() for terminal in reader.terminals.values())
            print(f"{tails}\n{PAGE.name}, block {number}: {error}\n{block.text}", file=sys.stderr)
            return 1
        finally:
            for terminal in reader.terminals.values():
                terminal.close()
    print(f"the tutorial works: {len(blocks)} blocks, {len(reader.terminals)} terminals, {reader.files} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
