"""Watches one image channel of a robot with LiveKit's own Python SDK and prints what it sees, one JSON object per line.

Nothing of telelink is used, so what it shows is what any viewer sees. Arguments: URL, token, topic. Ends when its
standard input does.

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


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def to_rgb(y: float, u: float, v: float) -> list[float]:
    """BT.709, limited range."""
    luma, blue, red = (y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224
    return [luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue]


def colour(planes: list[np.ndarray], left: bool) -> list[float]:
    """Mean of the middle of one half, away from the edges and the counter."""
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
    def __init__(self, topic: str) -> None:
        self.room, self.topic, self.buffer = rtc.Room(), topic, bytearray()
        self.writer: rtc.ByteStreamWriter | None = None
        self.wanted: str | None = None
        self.tracks: dict[str, rtc.Track] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.room.register_byte_stream_handler("control", self.on_control)
        self.room.on("track_subscribed", self.on_track)

    def start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_control(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        self.start(self.read_control(reader, identity))

    async def read_control(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        # The robot's end, at the end of the test, is no error here.
        with contextlib.suppress(rtc.StreamError):
            await self.read_frames(reader, identity)

    async def read_frames(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        async for chunk in reader:
            self.buffer += chunk
            while len(self.buffer) >= FRAME.size:
                kind, length = FRAME.unpack_from(self.buffer)
                if len(self.buffer) < FRAME.size + length:
                    break
                payload = bytes(self.buffer[FRAME.size : FRAME.size + length])
                del self.buffer[: FRAME.size + length]
                if kind == 1:
                    await self.on_message(json.loads(payload), identity)

    async def on_message(self, message: dict[str, Any], identity: str) -> None:
        if message["op"] in ("status", "removeStatus"):
            say(**message)
        for channel in message.get("channels", []):
            if message["op"] == "advertise" and channel["topic"] == self.topic:
                say(op="metadata", metadata=channel.get("metadata", {}))
                if self.wanted is None:
                    self.wanted = f"video-ch-{channel['id']}"
                    await self.subscribe(channel["id"], identity)

    async def subscribe(self, channel: int, identity: str) -> None:
        wish = {"op": "subscribe", "channels": [{"id": channel, "requestVideoTrack": True}]}
        text = json.dumps(wish).encode()
        self.writer = await self.room.local_participant.stream_bytes(
            "control", topic="control", destination_identities=[identity]
        )
        await self.writer.write(FRAME.pack(1, len(text)) + text)

    def on_track(self, track: rtc.Track, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant) -> None:
        if publication.name == self.wanted:
            self.start(self.watch(track))

    async def watch(self, track: rtc.Track) -> None:
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        async for event in stream:
            frame = event.frame
            width, height = frame.width, frame.height
            half, rows = (width + 1) // 2, (height + 1) // 2
            data = np.frombuffer(frame.data, np.uint8)
            luma, chroma = data[: width * height].reshape(height, width), data[width * height :]
            u = chroma[: half * rows].reshape(rows, half)
            v = chroma[half * rows : 2 * half * rows].reshape(rows, half)
            planes = [luma, u, v]
            metadata = getattr(event, "metadata", None) or getattr(event, "frame_metadata", None)
            say(
                op="frame",
                time_us=time.time_ns() // 1000,
                capture_us=getattr(metadata, "user_timestamp", None) if metadata else None,
                size=[width, height],
                left=colour(planes, True),
                right=colour(planes, False),
                counter=counter(luma),
            )


async def main(url: str, token: str, topic: str) -> None:
    watcher = Watcher(topic)
    await watcher.room.connect(url, token)
    # Ends with the test, in whatever way that ends.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await watcher.room.disconnect()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
