"""Watches image channels of a robot with LiveKit's own Python SDK and prints what it sees, one JSON object per line.

Nothing of telelink is used, so what it shows is what any viewer sees. Arguments: URL, token, topics. The lines
`unsubscribe` and `subscribe` on its standard input end and begin watching, `stats` asks what came of the first track so
far; it ends when the input does.

A picture has a left and a right half of one colour each and, from 320 pixels of width on, 16 blocks along its lower
edge, the bits of a counter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
from typing import Any

import numpy as np
from livekit import rtc

FRAME = struct.Struct("<BI")
BLOCK = 16
COUNTER_WIDTH = 320
SMALLEST = 16


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def to_rgb(y: float, u: float, v: float) -> list[float]:
    """BT.709, limited range."""
    luma, blue, red = (y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224
    return [luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue]


def colour(planes: list[np.ndarray], left: bool) -> list[float] | None:
    """Mean of the middle of one half, away from the edges and the counter; None when there is no middle.

    LiveKit's library opens some tracks with a picture of 2x2 pixels.
    """
    if min(planes[0].shape) < SMALLEST:
        return None
    means = []
    for plane in planes:
        rows, columns = plane.shape
        start = columns // 8 if left else columns * 5 // 8
        means.append(float(plane[rows // 4 : rows // 2, start : start + columns // 4].mean()))
    return to_rgb(*means)


def counter(luma: np.ndarray) -> int | None:
    rows, columns = luma.shape
    if columns < COUNTER_WIDTH:
        return None
    bits = 0
    for bit in range(16):
        block = luma[rows - 12 : rows - 4, bit * BLOCK + 4 : bit * BLOCK + 12]
        bits |= int(block.mean() > 128) << bit
    return bits


class Watcher:
    def __init__(self, topics: list[str]) -> None:
        self.room, self.topics = rtc.Room(), topics
        self.robot: str | None = None
        self.writer: rtc.ByteStreamWriter | None = None
        self.channels: dict[int, str] = {}
        self.tracks: list[rtc.Track] = []
        self.watching: dict[str, asyncio.Task[None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.room.register_byte_stream_handler("control", self.on_control)
        self.room.on("track_subscribed", self.on_track)
        self.room.on("track_unsubscribed", self.on_track_gone)

    def start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def on_control(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        # A robot that came again knows nothing of what it was told before.
        self.robot, self.writer, self.channels = identity, None, {}
        self.start(self.read_control(reader))

    async def read_control(self, reader: rtc.ByteStreamReader) -> None:
        # The robot's end, at the end of the test, is no error here.
        with contextlib.suppress(rtc.StreamError):
            await self.read_frames(reader)

    async def read_frames(self, reader: rtc.ByteStreamReader) -> None:
        buffer = bytearray()
        async for chunk in reader:
            buffer += chunk
            while len(buffer) >= FRAME.size:
                kind, length = FRAME.unpack_from(buffer)
                if len(buffer) < FRAME.size + length:
                    break
                payload = bytes(buffer[FRAME.size : FRAME.size + length])
                del buffer[: FRAME.size + length]
                if kind == 1:
                    await self.on_message(json.loads(payload))

    async def on_message(self, message: dict[str, Any]) -> None:
        if message["op"] in ("status", "removeStatus"):
            say(**message)
        new = []
        for channel in message.get("channels", []):
            if message["op"] == "advertise" and channel["topic"] in self.topics:
                say(op="metadata", topic=channel["topic"], metadata=channel.get("metadata", {}))
                if int(channel["id"]) not in self.channels:
                    self.channels[int(channel["id"])] = channel["topic"]
                    new.append(int(channel["id"]))
        if new:
            wishes = [{"id": channel, "requestVideoTrack": True} for channel in new]
            await self.send({"op": "subscribe", "channels": wishes})

    async def send(self, message: dict[str, Any]) -> None:
        if self.writer is None:
            assert self.robot is not None
            self.writer = await self.room.local_participant.stream_bytes(
                "control", topic="control", destination_identities=[self.robot]
            )
        text = json.dumps(message).encode()
        await self.writer.write(FRAME.pack(1, len(text)) + text)

    async def stats(self) -> None:
        inbound = [
            entry.inbound_rtp.inbound for entry in await self.tracks[0].get_stats() if entry.HasField("inbound_rtp")
        ]
        totals = {name: sum(getattr(rtp, name) for rtp in inbound) for name in ("bytes_received", "frames_decoded")}
        say(op="stats", **totals)

    async def obey(self, line: str) -> None:
        if line == "stats":
            return await self.stats()
        if line == "subscribe":
            wishes = [{"id": channel, "requestVideoTrack": True} for channel in self.channels]
            await self.send({"op": "subscribe", "channels": wishes})
        else:
            await self.send({"op": "unsubscribe", "channelIds": list(self.channels)})

    def on_track(self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            self.tracks.append(track)
            watching = self.start(self.watch(track, int(publication.name.removeprefix("video-ch-"))))
            self.watching[publication.sid] = watching

    def on_track_gone(self, _: rtc.Track, publication: rtc.RemoteTrackPublication, __: rtc.RemoteParticipant) -> None:
        if watching := self.watching.pop(publication.sid, None):
            watching.cancel()

    async def watch(self, track: rtc.Track, channel: int) -> None:
        # Of the newest: what this program has no time for is not shown late.
        stream = rtc.VideoStream(track, capacity=1, format=rtc.VideoBufferType.I420)
        try:
            async for event in stream:
                time_us = time.time_ns() // 1000
                frame = event.frame
                width, height = frame.width, frame.height
                half, rows = (width + 1) // 2, (height + 1) // 2
                data = np.frombuffer(frame.data, np.uint8)
                luma, chroma = data[: width * height].reshape(height, width), data[width * height :]
                u = chroma[: half * rows].reshape(rows, half)
                v = chroma[half * rows : 2 * half * rows].reshape(rows, half)
                planes = [luma, u, v]
                say(
                    op="frame",
                    topic=self.channels.get(channel),
                    time_us=time_us,
                    capture_us=event.metadata.user_timestamp if event.metadata else None,
                    size=[width, height],
                    left=colour(planes, True),
                    right=colour(planes, False),
                    counter=counter(luma),
                )
        finally:
            say(op="track ended", topic=self.channels.get(channel))
            await stream.aclose()


async def main(url: str, token: str, topics: list[str]) -> None:
    watcher = Watcher(topics)
    await watcher.room.connect(url, token)
    # Ends with the test, in whatever way that ends.
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        await watcher.obey(line.strip())
    await watcher.room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
