"""The demo: a LiveKit server on loopback, a robot, and a viewer on LiveKit's own Python SDK that shows the live data.

`make demo` runs this in .tools/venv (scripts/demo.sh). With --check it runs 10 s and exits 0 only if data arrived on
every advertised channel; the last line says so, with figures. --robot runs any program that takes LIVEKIT_URL and
LIVEKIT_TOKEN from the environment.
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
from pathlib import Path

from livekit import api

import livekit_server
from viewer import PROTOCOL_VERSION, VERSION_ATTRIBUTE, Channel, Viewer

# The development key pair of livekit-server is short; it guards a server on loopback for the length of a demo.
warnings.filterwarnings("ignore", message=".*HMAC key.*")
# The SDK warns about packets that were on their way when a subscription ended; that would tear the table apart.
logging.getLogger("livekit").setLevel(logging.ERROR)

ROOM = "demo"
JOIN_TIMEOUT_S = 30.0
CHECK_S = 10.0
REFRESH_S = 1.0
ROBOT_STOP_S = 5.0
TOKEN_TTL = datetime.timedelta(hours=12)
CLEAR_SCREEN = "\x1b[H\x1b[2J"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def token(identity: str, attributes: dict[str, str] | None = None) -> str:
    grants = api.VideoGrants(
        room_join=True,
        room=ROOM,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=True,
    )
    made = api.AccessToken(livekit_server.API_KEY, livekit_server.API_SECRET).with_identity(identity)
    return made.with_grants(grants).with_attributes(attributes or {}).with_ttl(TOKEN_TTL).to_jwt()


@contextlib.contextmanager
def robot(command: list[str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the robot with its output in a file; shows the end of it if the robot was the reason of a failure."""
    with tempfile.NamedTemporaryFile(prefix="telelink-demo-robot-", suffix=".log") as log:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, "LIVEKIT_URL": url, "LIVEKIT_TOKEN": token("demo-robot")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=livekit_server.die_with_parent,
            )
        except OSError as error:
            raise DemoError(f"the robot {command[0]} cannot be started: {error.strerror}") from error
        try:
            yield process
        except DemoError:
            if said := Path(log.name).read_text(errors="replace")[-3000:]:
                print(f"--- the robot's last output\n{said}\n---", file=sys.stderr)
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(ROBOT_STOP_S)
                except subprocess.TimeoutExpired:
                    print(f"demo: the robot did not stop within {ROBOT_STOP_S:.0f} s of SIGTERM", file=sys.stderr)
                    process.kill()
                    process.wait()


async def wait_for_channels(viewer: Viewer, process: subprocess.Popen[bytes], stop: asyncio.Event) -> None:
    deadline = time.monotonic() + JOIN_TIMEOUT_S
    while not viewer.ready.is_set() and not stop.is_set():
        if process.poll() is not None:
            raise DemoError(f"the robot ended with code {process.returncode} before it advertised a channel")
        if time.monotonic() > deadline:
            heard = "its serverInfo came" if viewer.server_info else "no control stream came from it"
            raise DemoError(f"the robot advertised no channel within {JOIN_TIMEOUT_S:.0f} s ({heard})")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(viewer.ready.wait(), 0.1)


def by_topic(viewer: Viewer) -> list[Channel]:
    return sorted(viewer.channels.values(), key=lambda channel: (channel.topic, channel.id))


class Table:
    """The live table; rates are those since the last time it was drawn."""

    def __init__(self, viewer: Viewer, url: str) -> None:
        self._viewer, self._url = viewer, url
        self._started = self._drawn = time.monotonic()
        self._seen: dict[int, tuple[int, int]] = {}

    def draw(self) -> str:
        now = time.monotonic()
        seconds = max(now - self._drawn, 1e-6)
        self._drawn = now
        name = (self._viewer.server_info or {}).get("name") or self._viewer.robot
        channels = by_topic(self._viewer)
        width = max([len("channel"), *(len(channel.topic) for channel in channels)])
        lines = [
            f"telelink demo: robot {name!r} seen through {self._url}, {now - self._started:.0f} s. Ctrl-C ends.",
            "",
            f"{'channel':<{width}}  {'path':<8} {'messages':>9} {'Hz':>7} {'kB/s':>8} {'loss':>7} {'p50':>9}",
        ]
        for channel in channels:
            messages, size = self._seen.get(channel.id, (0, 0))
            self._seen[channel.id] = (channel.messages, channel.size)
            latency = channel.latency_p50_ms
            lines.append(
                f"{channel.topic:<{width}}  {'reliable' if channel.reliable else 'lossy':<8} {channel.messages:>9}"
                f" {(channel.messages - messages) / seconds:>7.1f} {(channel.size - size) / seconds / 1e3:>8.1f}"
                f" {'-' if channel.reliable else f'{loss_percent([channel]):.1f} %':>7}"
                f" {'-' if latency is None else f'{latency:.2f} ms':>9}"
            )
        return "\n".join([*lines, *(["", *self._viewer.problems] if self._viewer.problems else [])])


def loss_percent(channels: list[Channel]) -> float:
    lost = sum(channel.lost for channel in channels)
    sent = lost + sum(channel.messages for channel in channels if not channel.reliable)
    return 100 * lost / sent if sent else 0.0


def verdict(viewer: Viewer, seconds: float) -> str:
    """The closing line of --check, or a DemoError that names the silent channels."""
    channels = by_topic(viewer)
    silent = [channel.topic for channel in channels if not channel.messages]
    if silent or not channels:
        which = ", ".join(silent) or "none is advertised"
        raise DemoError(f"no data on {len(silent)} of {len(channels)} channels in {seconds:.1f} s: {which}")
    latencies = sorted(sample for channel in channels for sample in channel.latencies_ns)
    latency = f"{latencies[len(latencies) // 2] / 1e6:.2f} ms" if latencies else "unknown"
    messages = sum(channel.messages for channel in channels)
    return (
        f"demo: OK: data on all {len(channels)} channels, {messages} messages in {seconds:.1f} s"
        f" ({messages / seconds:.0f}/s), lossy loss {loss_percent(channels):.2f} %, latency p50 {latency}"
    )


async def show(viewer: Viewer, process: subprocess.Popen[bytes], url: str, stop: asyncio.Event, check: bool) -> None:
    await wait_for_channels(viewer, process, stop)
    table, started = Table(viewer, url), time.monotonic()
    # A log file gets the table once, at the end.
    live = sys.stdout.isatty()
    while not stop.is_set() and not (check and time.monotonic() - started >= CHECK_S):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), REFRESH_S)
        if process.poll() is not None:
            raise DemoError(f"the robot ended with code {process.returncode}")
        if viewer.disconnected.is_set():
            raise DemoError("the viewer lost the room")
        if live:
            print(CLEAR_SCREEN + table.draw(), flush=True)
    if not live:
        print(table.draw())
    if check:
        print(verdict(viewer, time.monotonic() - started))


async def run(command: list[str], check: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with livekit_server.LiveKitServer() as server, robot(command, server.url) as process:
        viewer = Viewer()
        try:
            await asyncio.wait_for(
                viewer.join(server.url, token("demo-viewer", {VERSION_ATTRIBUTE: PROTOCOL_VERSION})), JOIN_TIMEOUT_S
            )
            await show(viewer, process, server.url, stop, check)
        finally:
            with contextlib.suppress(asyncio.TimeoutError):
                await viewer.leave()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = str(livekit_server.ROOT / "build" / "bin" / "telemetry_robot")
    parser.add_argument("--robot", default=default, metavar="COMMAND", help="the robot to run (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help=f"run {CHECK_S:.0f} s and judge")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(shlex.split(arguments.robot), arguments.check))
    except (DemoError, livekit_server.ServerError) as error:
        print(f"demo: FAILED: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
