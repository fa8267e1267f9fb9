# The environment in which tests, demo and benchmarks run: where the fetched LiveKit pieces are. Source it after lib.sh.

export LIVEKIT_SERVER="${LIVEKIT_SERVER:-$TOOLS/bin/livekit-server}"
export TELELINK_LIVEKIT_LIBRARY="${TELELINK_LIVEKIT_LIBRARY:-$TOOLS/livekit/$LIVEKIT_VERSION/liblivekit_ffi.so}"
# The name that LiveKit's own Python SDK reads, for the same file.
export LIVEKIT_LIB_PATH="${LIVEKIT_LIB_PATH:-$TELELINK_LIVEKIT_LIBRARY}"
# The scripts are no place for caches: a conformance suite may lie in a folder that cannot be written.
export PYTHONDONTWRITEBYTECODE=1
PYTHON_VENV="$TOOLS/venv/bin/python"
export TELELINK_PYTHON="${TELELINK_PYTHON:-$PYTHON_VENV}"
