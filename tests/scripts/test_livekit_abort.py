"""What the LiveKit library does with requests that it cannot survive: docs/reliability.md says so, this measures it.

Each case is a process of its own. A library that stops aborting makes a test fail: then the page is to be changed.
"""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

CHILD = textwrap.dedent(
    """
    import ctypes, os, resource, sys, threading
    from livekit.rtc._proto import ffi_pb2 as ffi

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(os.environ["TELELINK_LIVEKIT_LIBRARY"], mode=os.RTLD_LOCAL)
    callback_type = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
    case, answered = sys.argv[1], threading.Event()

    @callback_type
    def callback(data, length):
        if case == "dispose_in_a_callback":
            library.livekit_ffi_dispose()
        event = ffi.FfiEvent.FromString(ctypes.string_at(data, length))
        if event.WhichOneof("message") == "connect":
            answered.set()

    library.livekit_ffi_initialize.argtypes = [callback_type, ctypes.c_bool, ctypes.c_char_p, ctypes.c_char_p]
    pointer, size = ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t
    library.livekit_ffi_request.argtypes = [ctypes.c_char_p, size, ctypes.POINTER(pointer), ctypes.POINTER(size)]
    library.livekit_ffi_request.restype = ctypes.c_uint64
    library.livekit_ffi_initialize(callback, True, b"rust", b"0")

    def request(data):
        return library.livekit_ffi_request(data, len(data), ctypes.byref(pointer()), ctypes.byref(size()))

    message = ffi.FfiRequest()
    if case == "undecodable":
        assert request(b"\\xff\\xff\\xff") == 0
    elif case == "unknown_handle":
        message.disconnect.room_handle = 12345
        assert request(message.SerializeToString()) == 0
    elif case == "odd_audio_queue":
        source = message.new_audio_source
        source.type, source.sample_rate, source.num_channels, source.queue_size_ms = 0, 48000, 1, 7
        request(message.SerializeToString())
    elif case == "picture_without_planes":
        convert = message.video_convert
        convert.buffer.type, convert.buffer.width, convert.buffer.height, convert.buffer.data_ptr = 5, 3, 3, 0
        convert.dst_type = 0
        request(message.SerializeToString())
    if not case.startswith(("odd", "picture")):
        message = ffi.FfiRequest()
        message.connect.url, message.connect.token = "ws://127.0.0.1:1", "x"
        message.connect.options.SetInParent()
        assert request(message.SerializeToString()) != 0
        assert answered.wait(30), "the library still answers"
    """
)


@pytest.mark.parametrize(
    ("case", "end"),
    [
        ("undecodable", 0),
        ("unknown_handle", 0),
        ("odd_audio_queue", -signal.SIGABRT),
        ("picture_without_planes", -signal.SIGABRT),
        ("dispose_in_a_callback", -signal.SIGABRT),
    ],
)
def test_what_the_library_does(case, end):
    assert os.environ.get("TELELINK_LIVEKIT_LIBRARY"), "TELELINK_LIVEKIT_LIBRARY names the library"
    child = subprocess.run([sys.executable, "-c", CHILD, case], capture_output=True, text=True, timeout=60)
    assert child.returncode == end, child.stderr
    if end:
        assert "panicked at" in child.stderr
