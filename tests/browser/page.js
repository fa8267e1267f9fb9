// A viewer of one image channel on LiveKit's own client. Nothing of telelink is used, so what it shows is what any page shows.
// Tells what it sees to `say(object)`, which watch.mjs gives the page; tests/e2e/watch_video.py says the same of its pictures.
'use strict';

const FRAME_HEADER = 5; // opcode, payload length
const TEXT = 1;
const BLOCK = 16;
const COUNTER_WIDTH = 320;

/** Frames of a control stream, whatever the chunks (P-30). */
async function* frames(reader) {
  let buffer = new Uint8Array();
  for await (const chunk of reader) {
    const joined = new Uint8Array(buffer.length + chunk.length);
    joined.set(buffer);
    joined.set(chunk, buffer.length);
    buffer = joined;
    while (buffer.length >= FRAME_HEADER) {
      const length = new DataView(buffer.buffer, buffer.byteOffset).getUint32(1, true);
      if (buffer.length < FRAME_HEADER + length) break;
      yield { opcode: buffer[0], payload: buffer.subarray(FRAME_HEADER, FRAME_HEADER + length) };
      buffer = buffer.slice(FRAME_HEADER + length);
    }
  }
}

/** Mean colour of a part of the picture. */
function mean(context, x, y, width, height) {
  const { data } = context.getImageData(x, y, width, height);
  const sums = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) for (let c = 0; c < 3; c++) sums[c] += data[at + c];
  return sums.map((sum) => (sum * 4) / data.length);
}

function counter(context, width, height) {
  if (width < COUNTER_WIDTH) return null;
  let bits = 0;
  for (let bit = 0; bit < 16; bit++) {
    if (mean(context, bit * BLOCK + 4, height - 12, 8, 8)[1] > 128) bits |= 1 << bit;
  }
  return bits;
}

/** Draws every picture that is presented and tells of it. */
function watch(track, topic) {
  const video = document.getElementById('video');
  const canvas = document.getElementById('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  track.attach(video);
  const shown = (_now, { width, height }) => {
    video.requestVideoFrameCallback(shown);
    const time = performance.timeOrigin + performance.now();
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.drawImage(video, 0, 0, width, height);
    const [top, side] = [Math.floor(height / 4), Math.max(1, Math.floor(width / 4))];
    say({
      op: 'frame',
      topic,
      time_us: Math.round(time * 1000),
      size: [width, height],
      left: mean(context, Math.floor(width / 8), top, side, top),
      right: mean(context, Math.floor((width * 5) / 8), top, side, top),
      counter: counter(context, width, height),
    });
  };
  video.requestVideoFrameCallback(shown);
  return video.play();
}

async function start(url, token, topic) {
  const room = new LivekitClient.Room();
  const tracks = new Map();
  let wanted = null;

  /** Once both are known, the track and the channel; they may come in either order. */
  function show() {
    const track = tracks.get(wanted);
    tracks.delete(wanted);
    if (track) watch(track, topic).catch((error) => say({ op: 'error', reason: String(error) }));
  }

  async function subscribe(channel, robot) {
    wanted = `video-ch-${channel}`;
    show();
    const wish = { op: 'subscribe', channels: [{ id: channel, requestVideoTrack: true }] };
    const text = new TextEncoder().encode(JSON.stringify(wish));
    const frame = new Uint8Array(FRAME_HEADER + text.length);
    frame[0] = TEXT;
    new DataView(frame.buffer).setUint32(1, text.length, true);
    frame.set(text, FRAME_HEADER);
    const writer = await room.localParticipant.streamBytes({
      name: 'control',
      topic: 'control',
      destinationIdentities: [robot],
    });
    await writer.write(frame);
  }

  room.registerByteStreamHandler('control', async (reader, { identity }) => {
    try {
      for await (const { opcode, payload } of frames(reader)) {
        if (opcode !== TEXT) continue;
        const message = JSON.parse(new TextDecoder().decode(payload));
        if (message.op !== 'advertise') continue;
        const channel = message.channels.find((candidate) => candidate.topic === topic);
        if (channel) say({ op: 'metadata', topic, metadata: channel.metadata ?? {} });
        if (channel && wanted === null) await subscribe(channel.id, identity);
      }
    } catch (error) {
      // The robot's end, at the end of the test, is no error here.
      say({ op: 'stream ended', reason: String(error) });
    }
  });
  room.on(LivekitClient.RoomEvent.TrackSubscribed, (track, publication) => {
    tracks.set(publication.trackName, track);
    show();
  });
  await room.connect(url, token);
}
