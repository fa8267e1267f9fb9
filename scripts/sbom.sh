#!/usr/bin/env bash
# The bill of materials of the packages in CycloneDX form: sbom.sh FILE. The crates of libtelelink and of telelink-view by
# cargo-cyclonedx from Cargo.lock, and LiveKit's library, which no crate names.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
file="$(realpath -m "${1:?usage: sbom.sh FILE}")"
cd "$ROOT"

"$ROOT/scripts/tools.sh" cargo-cyclonedx
# cargo-cyclonedx writes one file into the folder of every crate of the workspace, and knows no other place.
name=telelink-sbom-$$
clean() { find "$ROOT" \( -name target -o -name .tools -o -name .git \) -prune -o -name "$name.json" -exec rm -f {} +; }
trap clean EXIT
# The crates for aarch64 are the same as for x86_64, and --target takes one.
"$TOOLS/bin/cargo-cyclonedx" cyclonedx --quiet --manifest-path Cargo.toml --format json --spec-version 1.5 \
  --target x86_64-unknown-linux-gnu --no-build-deps --override-filename "$name"
mkdir -p "$(dirname "$file")"
livekit_pins Linux-x86_64
x86_64="$LIVEKIT_LIBRARY_SHA256"
livekit_pins Linux-aarch64
aarch64="$LIVEKIT_LIBRARY_SHA256"
python3 - "$name.json" "client/$name.json" "$file" "$LIVEKIT_VERSION" "$x86_64" "$aarch64" <<'EOF'
import json, re, sys

source, view, target, version, x86_64, aarch64 = sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    # Where this checkout lies is nobody's business, and would make two builds differ.
    return json.loads(re.sub(r"path\+file://[^#\"]*#", "pkg:cargo/", text).replace("?download_url=file://.", ""))


bill, view = read(source), read(view)
# The viewer needs crates that the library does not, and some of the library's with more features.
present = {bill["metadata"]["component"]["bom-ref"]} | {entry["bom-ref"] for entry in bill["components"]}
parts = [view["metadata"]["component"], *view["components"]]
bill["components"] += [part for part in parts if part["bom-ref"] not in present]
needs = {entry["ref"]: entry for entry in bill["dependencies"]}
for entry in view["dependencies"]:
    known = needs.setdefault(entry["ref"], entry)
    if known is entry:
        bill["dependencies"].append(entry)
    elif further := set(entry.get("dependsOn", [])) - set(known.get("dependsOn", [])):
        known["dependsOn"] = sorted({*known.get("dependsOn", []), *further})
library = f"pkg:pypi/livekit@{version}"
bill["components"].append({
    "type": "library",
    "bom-ref": library,
    "name": "liblivekit_ffi",
    "version": version,
    "description": "LiveKit's native library, loaded at run time; taken unchanged from the wheel of the PyPI package livekit",
    "purl": library,
    "licenses": [{"license": {"id": "Apache-2.0"}}],
    "evidence": {"copyright": [{"text": "Copyright 2023 LiveKit, Inc."}]},
    "properties": [
        {"name": "telelink:sha256:x86_64", "value": x86_64},
        {"name": "telelink:sha256:aarch64", "value": aarch64},
        {"name": "telelink:notices", "value": "share/doc/*/livekit/LICENSE.md"},
    ],
})
root = bill["metadata"]["component"]["bom-ref"]
for entry in bill["dependencies"]:
    if entry["ref"] == root:
        entry.setdefault("dependsOn", []).append(library)
bill["dependencies"].append({"ref": library})
with open(target, "w", encoding="utf-8") as file:
    json.dump(bill, file, indent=1, sort_keys=False)
    file.write("\n")
EOF
