#!/usr/bin/env bash
# Rehearses first.sh where there is no GPU: on the emulated driver, in a copy of the
# checkout, with neither Go nor PyTorch to be found:
#   bash rehearse.sh ARCHIVE DRIVER
# Every test runs. The network that is timed is tiny, and PyTorch's side of the
# comparison is the stand-in of bench/test_peer.py.
set -euo pipefail
archive=$(realpath "$1")
driver=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/edm"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - --ignore-failed-read | tar -x -C "$work/edm"
cd "$work/edm"

python=$(python3 -c 'import sys; print(sys.executable)')
"$python" -B - "$python" >"$work/torch" <<'END'
import sys
sys.path.insert(0, "bench")
import test_peer
print(f"#!{sys.argv[1]}\n{test_peer.FAKE}")
END
chmod +x "$work/torch"

# A network for 8x8 images, which the emulated driver runs in a moment.
network="--preset demo --model-channels 16 --channel-mult 1 --num-blocks 1 --attn-resolutions 8 --batch 2"
"$python" - "$archive" "$work" <<'END'
import struct, sys, tarfile

archive, work = sys.argv[1:]
with tarfile.open(archive) as t:
    t.extractall(work)
with open(work + "/images-idx3-ubyte", "wb") as f:
    f.write(struct.pack(">4I", 2051, 16, 8, 8) + bytes(range(256)) * 4)
END
"$work/bin/edm-train" $network --data "$work/images-idx3-ubyte" --micro 2 --device cpu --duration 0.000004 --validation 2 \
	--preview 1 --outdir "$work/runs" >/dev/null
snapshot=$(echo "$work"/runs/*/snapshot-000000004.safetensors)

PATH=/usr/bin:/bin
! command -v go >/dev/null || { echo "Go is in $PATH: this is no rehearsal of a machine without it"; exit 1; }
status=0
env -i PATH=$PATH HOME="$work" FAKE_LOG="$work/fake.log" EDM_CUDA_DRIVER="$driver" EDM_EMULATOR_CAPABILITY=9.0 \
	bash internal/cuda/ongpu/first.sh -t 600 -o "$work/out" -a "$archive" --bench "$network --resolution 8" \
	--compare "--python $work/torch --case $snapshot:2 --precision bf16 --mode train --mode sample --rounds 1 --seconds 0.01 --matrix 64" ||
	status=$?

"$python" -B - "$work/out" <<'END' || status=1
import json, sys, tarfile

out = sys.argv[1]
with open(out + "/verdict.json") as f:
    steps = json.load(f)
bad = [s["step"] for s in steps if s["verdict"] not in ("passed", "missing")]
missing = [s["step"] for s in steps if s["verdict"] == "missing"]
if bad or missing != ["nvidia-smi", "memcheck", "racecheck", "synccheck", "initcheck", "profile"]:
    sys.exit(f"not passed: {bad}; not there: {missing}")
with tarfile.open(out + "/result.tar.gz") as t:
    logs = {m.name: t.extractfile(m).read().decode(errors="replace") for m in t}
rows = json.loads(logs["compare.json"])["rows"]
found = {(r["mode"], r["side"]): r["status"] for r in rows}
want = {(mode, side): "ok" for mode in ("train", "sample") for side in ("edm", "edm wgmma", "torch eager", "torch compile", "torch reduce-overhead")}
if found != want:
    sys.exit(f"the comparison's rows are {found}, want {want}")
END
if ((status)); then
	mkdir -p "$work/logs" && tar -xzf "$work/out/result.tar.gz" -C "$work/logs"
	tail -n 100 "$work"/logs/*.log
	exit 1
fi
