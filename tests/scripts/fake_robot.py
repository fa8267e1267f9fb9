"""A robot of a few lines on LiveKit's Python SDK, for the tests of demo and viewer: one reliable channel, one lossy one
that skips every fourth sequence number, and with FAKE_SILENT=1 a third one that never carries anything."""

import asyncio
import json
import os
import struct
import time

from livekit import rtc

from viewer import FrameReader, frame_json

CHANNELS = [
    {"id": 1, "topic": "/reliable", "encoding": "json", "schemaId": 1, "metadata": {"foxglove.reliable": "true"}},
    {"id": 2, "topic": "/lossy", "encoding": "json"},
]
SCHEMAS = [{"id": 1, "name": "fake.Text", "encoding": "jsonschema", "data": "{}"}]
RATE_HZ = 20


async def serve(room: rtc.Room, viewer: str, subscribed: asyncio.Queue[set[int]]) -> None:
    channels = list(CHANNELS)
    if os.environ.get("FAKE_SILENT") == "1":
        channels.append({"id": 3, "topic": "/silent", "encoding": "json"})
    out = await room.local_participant.stream_bytes("control", topic="control", destination_identities=[viewer])
    await out.write(frame_json({"op": "serverInfo", "name": "fake", "capabilities": [], "sessionId": ""}))
    await out.write(frame_json({"op": "advertise", "schemas": SCHEMAS, "channels": channels}))
    track = await room.local_participant.publish_data_track(name="data-ch-2")
    assert await subscribed.get() == {channel["id"] for channel in channels}
    sequence = 0
    while True:
        now = time.time_ns()
        payload = b'{"n":%d}' % sequence
        await out.write(struct.pack("<BIBQQ", 2, 17 + len(payload), 1, 1, now) + payload)
        if sequence % 4 != 3:
            frame = rtc.DataTrackFrame(payload=struct.pack("<HHI", 0, 8, sequence) + payload, user_timestamp=now)
            track.try_push(frame)
        sequence += 1
        await asyncio.sleep(1 / RATE_HZ)


async def main() -> None:
    room = rtc.Room()
    subscribed: asyncio.Queue[set[int]] = asyncio.Queue()
    tasks = set()

    async def read(reader: rtc.ByteStreamReader) -> None:
        frames = FrameReader()
        async for chunk in reader:
            for _, payload in frames.feed(chunk):
                message = json.loads(payload)
                assert message["op"] == "subscribe"
                await subscribed.put({channel["id"] for channel in message["channels"]})

    def spawn(work) -> None:
        tasks.add(asyncio.get_running_loop().create_task(work))

    room.register_byte_stream_handler("control", lambda reader, _identity: spawn(read(reader)))
    room.on("participant_connected", lambda participant: spawn(serve(room, participant.identity, subscribed)))
    await room.connect(os.environ["LIVEKIT_URL"], os.environ["LIVEKIT_TOKEN"], rtc.RoomOptions(auto_subscribe=False))
    for participant in room.remote_participants.values():
        spawn(serve(room, participant.identity, subscribed))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
