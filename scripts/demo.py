"""The demo: a LiveKit server on loopback, robots, and viewers on LiveKit's own Python SDK that show the live data.

`make demo` runs this in .tools/venv (scripts/demo.sh), with two robots, each in a room of its own: this machine's
telemetry, and a camera. With --check it runs 10 s and exits 0 only if data arrived on every advertised channel, and
pictures on every video channel; the last line says so, with figures. --robot (several times for several) runs any
program that takes LIVEKIT_URL and LIVEKIT_TOKEN from the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from livekit import api

import livekit_server
from viewer import PROTOCOL_VERSION, VERSION_ATTRIBUTE, Channel, Viewer

# The development key pair of livekit-server is short; it guards a server on loopback for the length of a demo.
warnings.filterwarnings("ignore", message=".*HMAC key.*")
# The SDK warns about packets that were on their way when a subscription ended; that would tear the table apart.
logging.getLogger("livekit").setLevel(logging.ERROR)

EXAMPLES = ("telemetry_robot", "camera")
JOIN_TIMEOUT_S = 30.0
CHECK_S = 10.0
REFRESH_S = 1.0
ROBOT_STOP_S = 5.0
TOKEN_TTL = datetime.timedelta(hours=12)
CLEAR_SCREEN = "\x1b[H\x1b[2J"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def token(room: str, identity: str, attributes: dict[str, str] | None = None) -> str:
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=True,
    )
    made = api.AccessToken(livekit_server.API_KEY, livekit_server.API_SECRET).with_identity(identity)
    return made.with_grants(grants).with_attributes(attributes or {}).with_ttl(TOKEN_TTL).to_jwt()


@dataclass
class Robot:
    """A robot that runs in a room of its own, and who looks at it."""

    name: str
    process: subprocess.Popen[bytes]
    viewer: Viewer = field(default_factory=Viewer)
    started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        if self.process.poll() is not None:
            before = "" if self.viewer.ready.is_set() else " before it advertised a channel"
            raise DemoError(f"{self.name} ended with code {self.process.returncode}{before}")
        if self.viewer.disconnected.is_set():
            raise DemoError(f"the viewer of {self.name} lost the room")

    def check_ready(self) -> None:
        if not self.viewer.ready.is_set() and time.monotonic() > self.started + JOIN_TIMEOUT_S:
            heard = "its serverInfo came" if self.viewer.server_info else "no control stream came from it"
            raise DemoError(f"{self.name} advertised no channel within {JOIN_TIMEOUT_S:.0f} s ({heard})")

    def unseen_videos(self) -> list[Channel]:
        return [channel for channel in self.viewer.channels.values() if channel.video and not channel.messages]


@contextlib.contextmanager
def robot(name: str, room: str, command: list[str], url: str) -> Iterator[Robot]:
    """Runs a robot with its output in a file; shows the end of it if the demo failed."""
    with tempfile.NamedTemporaryFile(prefix="telelink-demo-robot-", suffix=".log") as log:
        try:
            process = subprocess.Popen(
                command,
                # The viewer of the demo reads capture times, whatever the codec.
                env={
                    "TELELINK_VIDEO_CAPTURE_TIMES": "always",
                    **os.environ,
                    "LIVEKIT_URL": url,
                    "LIVEKIT_TOKEN": token(room, "demo-robot"),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=livekit_server.die_with_parent,
            )
        except OSError as error:
            raise DemoError(f"the robot {command[0]} cannot be started: {error.strerror}") from error
        try:
            yield Robot(name, process)
        except DemoError:
            if said := Path(log.name).read_text(errors="replace")[-3000:]:
                print(f"--- the last output of {name}\n{said}\n---", file=sys.stderr)
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(ROBOT_STOP_S)
                except subprocess.TimeoutExpired:
                    print(f"demo: {name} did not stop within {ROBOT_STOP_S:.0f} s of SIGTERM", file=sys.stderr)
                    process.kill()
                    process.wait()


async def wait_until_seen(robots: list[Robot], stop: asyncio.Event) -> None:
    """Waits for every robot's channels, and for the first picture of each video: decoders start with a key frame."""
    while not stop.is_set():
        for robot in robots:
            robot.check()
            robot.check_ready()
        waiting = [robot for robot in robots if not robot.viewer.ready.is_set()]
        late = [robot for robot in robots if time.monotonic() > robot.started + JOIN_TIMEOUT_S]
        # A video that nobody sees is for the verdict to name.
        if not waiting and all(robot in late or not robot.unseen_videos() for robot in robots):
            return
        await asyncio.sleep(0.1)


def by_topic(viewer: Viewer) -> list[Channel]:
    return sorted(viewer.channels.values(), key=lambda channel: (channel.topic, channel.id))


class Table:
    """The live table; rates are those since the last time it was drawn."""

    def __init__(self, robots: list[Robot], url: str) -> None:
        self._robots, self._url = robots, url
        self._started = self._drawn = time.monotonic()
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}

    def draw(self) -> str:
        now = time.monotonic()
        seconds = max(now - self._drawn, 1e-6)
        self._drawn = now
        names = [(robot.viewer.server_info or {}).get("name") or robot.name for robot in self._robots]
        channels = [channel for robot in self._robots for channel in by_topic(robot.viewer)]
        width = max([len("channel"), *(len(channel.topic) for channel in channels)])
        lines = [
            f"telelink demo: {' and '.join(map(repr, names))} seen through {self._url}, {now - self._started:.0f} s. "
            "Ctrl-C ends.",
            "",
            f"{'channel':<{width}}  {'path':<8} {'messages':>9} {'Hz':>7} {'kB/s':>8} {'loss':>7} {'p50':>9}  picture",
        ]
        for robot in self._robots:
            lines += [self._row(robot.name, channel, width, seconds) for channel in by_topic(robot.viewer)]
        problems = [problem for robot in self._robots for problem in robot.viewer.problems]
        return "\n".join([*lines, *(["", *problems] if problems else [])])

    def _row(self, robot: str, channel: Channel, width: int, seconds: float) -> str:
        messages, size = self._seen.get((robot, channel.id), (0, 0))
        self._seen[robot, channel.id] = (channel.messages, channel.size)
        latency = channel.latency_p50_ms
        row = (
            f"{channel.topic:<{width}}  {channel.path:<8} {channel.messages:>9}"
            f" {(channel.messages - messages) / seconds:>7.1f}"
            f" {'-' if channel.video else f'{(channel.size - size) / seconds / 1e3:.1f}':>8}"
            f" {f'{loss_percent([channel]):.1f} %' if channel.path == 'lossy' else '-':>7}"
            f" {'-' if latency is None else f'{latency:.2f} ms':>9}"
        )
        return row + (f"  {channel.picture[0]}x{channel.picture[1]}" if channel.picture else "")


def loss_percent(channels: list[Channel]) -> float:
    lost = sum(channel.lost for channel in channels)
    sent = lost + sum(channel.messages for channel in channels if channel.path == "lossy")
    return 100 * lost / sent if sent else 0.0


def verdict(robots: list[Robot], seconds: float) -> str:
    """The closing line of --check, or a DemoError that names the silent channels."""
    channels = [channel for robot in robots for channel in by_topic(robot.viewer)]
    silent = [channel.topic for channel in channels if not channel.messages]
    if silent or not channels:
        which = ", ".join(silent) or "none is advertised"
        raise DemoError(f"no data on {len(silent)} of {len(channels)} channels in {seconds:.1f} s: {which}")
    videos = [channel for channel in channels if channel.video]
    data = [channel for channel in channels if not channel.video]
    messages = sum(channel.messages for channel in data)
    shown = "".join(
        f", video {channel.topic} {channel.messages} pictures of {channel.picture[0]}x{channel.picture[1]}"
        f" ({channel.messages / seconds:.0f}/s), latency p50 {milliseconds([channel])}"
        for channel in videos
        if channel.picture
    )
    return (
        f"demo: OK: data on all {len(channels)} channels, {messages} messages in {seconds:.1f} s"
        f" ({messages / seconds:.0f}/s), lossy loss {loss_percent(data):.2f} %, latency p50 {milliseconds(data)}{shown}"
    )


def milliseconds(channels: list[Channel]) -> str:
    """The median latency of some channels."""
    latencies = sorted(sample for channel in channels for sample in channel.latencies_ns)
    return f"{latencies[len(latencies) // 2] / 1e6:.2f} ms" if latencies else "unknown"


async def show(robots: list[Robot], url: str, stop: asyncio.Event, check: bool) -> None:
    await wait_until_seen(robots, stop)
    table, started = Table(robots, url), time.monotonic()
    # A log file gets the table once, at the end.
    live = sys.stdout.isatty()
    while not stop.is_set() and not (check and time.monotonic() - started >= CHECK_S):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)
        for robot in robots:
            robot.check()
        if live:
            print(CLEAR_SCREEN + table.draw(), flush=True)
    if not live:
        print(table.draw())
    if check:
        print(verdict(robots, time.monotonic() - started))


async def run(commands: list[list[str]], check: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.ExitStack() as running:
        server = running.enter_context(livekit_server.LiveKitServer())
        robots = []
        for number, command in enumerate(commands):
            # The rooms of a robot's kind hold one robot: a viewer asks it by joining.
            name = "the robot" if len(commands) == 1 else Path(command[0]).name
            robots.append(running.enter_context(robot(name, f"demo-{number}", command, server.url)))
        try:
            for number, started in enumerate(robots):
                seen = token(f"demo-{number}", "demo-viewer", {VERSION_ATTRIBUTE: PROTOCOL_VERSION})
                await asyncio.wait_for(started.viewer.join(server.url, seen), JOIN_TIMEOUT_S)
            await show(robots, server.url, stop, check)
        finally:
            for started in robots:
                with contextlib.suppress(asyncio.TimeoutError):
                    await started.viewer.leave()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robot", action="append", metavar="COMMAND", help="a robot to run, instead of the examples")
    parser.add_argument("--check", action="store_true", help=f"run {CHECK_S:.0f} s and judge")
    arguments = parser.parse_args()
    try:
        binaries = livekit_server.ROOT / "build" / "bin"
        commands = arguments.robot or [shlex.quote(str(binaries / name)) for name in EXAMPLES]
        asyncio.run(run([shlex.split(command) for command in commands], arguments.check))
    except (DemoError, livekit_server.ServerError) as error:
        print(f"demo: FAILED: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
