#!/usr/bin/env python3
"""Lists the codecs that FFmpeg brings into the LiveKit library, and other parts of it by their marks.

usage: scripts/livekit_codecs.py liblivekit_ffi.so

For docs/licensing.md, after a change of the LiveKit version. The library names neither its codecs nor its
configuration: its symbols are hidden and avcodec_configuration() is not linked in. But every codec is described by a
constant (AVCodec) that begins with two pointers, to its name and to its long name, followed by its media type, id and
capabilities; the table of relocations says where the pointers are. 64-bit little-endian ELF only.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

PT_LOAD, PT_DYNAMIC = 1, 2
DT_RELA, DT_RELASZ = 7, 8
RELATIVE = {62: 8, 183: 1027}  # e_machine: R_X86_64_RELATIVE, R_AARCH64_RELATIVE
MEDIA = {0: "video", 1: "audio"}
# Ids that libavcodec/codec_id.h gives to video and to audio; other pairs of strings are not codecs.
CODEC_ID = {"video": range(1, 0x10000), "audio": range(0x10000, 0x17000)}
CAPABILITIES_IN_USE = 0x000FFFFF  # AV_CODEC_CAP_*
CAP_DR1 = 2  # every decoder here has it
OPTION_FLAG = 0xB  # where an AVCodec has its id, constants among the options have this

MARKS = {
    "libvpx": rb"WebM Project VP[89] (?:En|De)coder v[\w.-]+",
    "libaom": rb"AOMedia Project AV1 Encoder [\w.-]+",
    "OpenH264": rb"openh264 codec version|CWelsH264SVCEncoder",
    "dav1d": rb"dav1d[\w .:/-]*",
    "Opus": rb"libopus[\w .-]*",
    "libsoxr (LGPL-2.1-or-later)": rb"invalid soxr_t pointer",
    "NVIDIA's encoder, loaded at run time": rb"libnvidia-encode\.so\.1",
    "VA-API, loaded at run time": rb"libva\.so\.2",
    "WebRTC": rb"WebRTC source stamp [\dT:-]+",
    "x264 (GPL)": rb"x264_encoder_\w+|x264 \[\w+\]",
    "x265 (GPL)": rb"x265_encoder_\w+|x265 \[\w+\]",
    "libpostproc (GPL)": rb"libpostproc/\w+",
    "FFmpeg configuration": rb"--enable-(?:gpl|nonfree|version3|decoder)[\w=,' -]*",
    "libavformat": rb"libavformat/\w+\.c",
    "libavfilter": rb"libavfilter/\w+\.c",
}


class Image:
    """The file as it lies in memory when it is loaded."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            sys.exit("not a 64-bit little-endian ELF file")
        self.data = data
        self.machine = struct.unpack_from("<H", data, 18)[0]
        offset, size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54))
        headers = [struct.unpack_from("<IIQQQQQQ", data, offset + size * index) for index in range(count)]
        self.segments = [(h[3], h[2], h[5]) for h in headers if h[0] == PT_LOAD]
        dynamic = next(data[h[2] : h[2] + h[5]] for h in headers if h[0] == PT_DYNAMIC)
        self.dynamic = dict(struct.iter_unpack("<QQ", dynamic))

    def read(self, address: int, size: int) -> bytes:
        for start, offset, length in self.segments:
            if start <= address and address + size <= start + length:
                return self.data[offset + address - start : offset + address - start + size]
        return b""

    def text(self, address: int) -> str:
        # Short strings may end right where a segment ends.
        for size in (96, 32, 8):
            if raw := self.read(address, size):
                found = re.match(rb"([\x20-\x7e]{2,})\0", raw)
                return found[1].decode() if found else ""
        return ""

    def pointers(self) -> dict[int, int]:
        table = self.read(self.dynamic[DT_RELA], self.dynamic[DT_RELASZ])
        kind = RELATIVE[self.machine]
        return {at: to for at, info, to in struct.iter_unpack("<QQq", table) if info & 0xFFFFFFFF == kind}


def codecs(image: Image) -> list[tuple[str, str, str]]:
    pointers = image.pointers()
    found = []
    for at, name in sorted(pointers.items()):
        if at + 8 not in pointers or at + 16 in pointers:
            continue
        kind, codec_id, capabilities = struct.unpack("<iIi", image.read(at + 16, 12) or bytes(12))
        medium = MEDIA.get(kind, "")
        # Tables of options have the same beginning, but ids and capabilities that no codec has.
        if (
            medium
            and codec_id in CODEC_ID[medium]
            and 0 < capabilities <= CAPABILITIES_IN_USE
            and capabilities & CAP_DR1
        ):
            short, long = image.text(name), image.text(pointers[at + 8])
            if (
                re.fullmatch(r"[a-z0-9_]+", short)
                and long[:1].isalnum()
                and not (codec_id == OPTION_FLAG and medium == "video")
            ):
                found.append((medium, short, long))
    return found


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    image = Image(Path(sys.argv[1]).read_bytes())
    print("codecs of FFmpeg:")
    for medium, name, long in codecs(image):
        print(f"  {medium}  {name:<12} {long}")
    print("other marks:")
    for name, pattern in MARKS.items():
        marks = sorted({mark.decode() for mark in re.findall(pattern, image.data)})
        print(f"  {name}: {', '.join(marks[:4]) or 'none'}")


if __name__ == "__main__":
    main()
