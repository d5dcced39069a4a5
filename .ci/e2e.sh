#!/usr/bin/env bash
# From a clean clone of HEAD: trains a small network on the real images of the
# demo set, kills, interrupts and resumes it, compares the snapshots byte for
# byte for one and for two threads, and draws images from them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CGO_ENABLED=0

work=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

fail() {
	echo "end to end: $*"
	exit 1
}

git clone --quiet --no-hardlinks "$root" "$work/edm"
cd "$work/edm"
go build -o bin/ ./cmd/...
[ -z "$(git status --porcelain)" ] || fail "building leaves files that git sees"
bin/edm-train --dry-run | tail -n 5

# The demo preset in small: half the width, 2,000 images, a state a kimg.
small=(--preset demo --model-channels 16 --batch 32 --micro 16 --duration 0.002 --tick 1 --dump 1 --snap 0 --validation 32 --preview 9 --seed 7)

# same A B: the last snapshots of two folders of runs are the same bytes.
same() {
	local a b
	a=$(echo "$work/$1"/*/snapshot-000002016.safetensors)
	b=$(echo "$work/$2"/*/snapshot-000002016.safetensors)
	cmp "$a" "$b" || fail "the snapshots of $1 and $2 differ"
	echo "snapshots of $1 and $2: $(stat -c %s "$a") equal bytes"
}

# start LOG ARGS...: trains in the background, as $pid.
start() {
	bin/edm-train "${@:2}" >"$work/$1.log" 2>&1 &
	pid=$!
}

# wait_for LOG COMMAND...: waits, while the training runs, until COMMAND succeeds.
wait_for() {
	local i
	for ((i = 0; i < 3000; i++)); do
		! "${@:2}" || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	cat "$work/$1.log"
	fail "the training of $1 ended or hung before: ${*:2}"
}

# saved RUNS: whether the state after the first kimg is there.
saved() {
	compgen -G "$work/$1/*/state-000001024.safetensors" >/dev/null
}

echo "--- undisturbed"
bin/edm-train "${small[@]}" --outdir "$work/whole"

echo "--- killed in the middle, resumed, interrupted, resumed"
start killed "${small[@]}" --outdir "$work/killed"
wait_for killed saved killed
sleep "0.$((RANDOM % 4))"
kill -9 "$pid"
status=0
wait "$pid" || status=$?
[ "$status" -eq 137 ] || fail "the run ended with status $status before it could be killed"
tail -n 1 "$work/killed.log"

start interrupted --resume latest --outdir "$work/killed" --preview 9
wait_for interrupted grep -q '^resuming .*, from image 1' "$work/interrupted.log"
sleep 0.3
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
cat "$work/interrupted.log"
[ "$status" -eq 0 ] || fail "an interrupted run ended with status $status, want 0"
grep -q '^stopped after 1' "$work/interrupted.log" || fail "the run was not interrupted"
pid=
bin/edm-train --resume latest --outdir "$work/killed" --preview 9
same whole killed

echo "--- one thread, in two halves"
GOMAXPROCS=1 bin/edm-train "${small[@]}" --duration 0.001 --outdir "$work/halves"
GOMAXPROCS=1 bin/edm-train --resume latest --duration 0.002 --outdir "$work/halves" --preview 9
same whole halves

echo "--- images"
bin/edm-sample --runs "$work/whole" --outdir "$work/images" --seeds 0-15
GOMAXPROCS=1 bin/edm-sample --runs "$work/killed" --outdir "$work/again" --seeds 3,9 --batch 1
cmp "$work/images/000003.png" "$work/again/000003.png" || fail "an image depends on its batch or on the threads"
go run "$root/.ci/checkpng.go" "$work"/images/*.png "$work"/whole/*/samples-*.png

echo "--- other parts of the design space, trained"
tiny=(--preset demo --model-channels 16 --batch 16 --micro 16 --duration 0.00016 --validation 16 --preview 4 --augment 0.2 --label-dropout 0.1)
bin/edm-train "${tiny[@]}" --arch ncsnpp --precond ve --outdir "$work/ve"
bin/edm-train "${tiny[@]}" --duration 0.000032 --arch adm --model-channels 64 --precond iddpm --loss ddpm-cosine --outdir "$work/iddpm"
bin/edm-sample --runs "$work/iddpm" --seeds 0-3 --disc iddpm --nfe 15 --guidance 2 --outdir "$work/guided"
bin/edm-train --inspect --data demo

echo "--- a published network's file"
gunzip -c internal/netpkl/testdata/network-snapshot-ncsnpp-uncond.pkl.gz >"$work/net.pkl"
bin/edm-sample --network "$work/net.pkl" --solver dpmpp-2m --nfe 9 --seeds 0-3 --outdir "$work/published"
[ -s "$work/net.safetensors" ] || fail "no snapshot beside the pickle"
head -c 100000 "$work/net.pkl" >"$work/cut.pkl"
! bin/edm-sample --network "$work/cut.pkl" --outdir "$work/none" || fail "a truncated pickle was read"
[ ! -e "$work/cut.safetensors" ] && [ ! -e "$work/none" ] || fail "a truncated pickle left something behind"

echo "--- samplers compared, a trajectory, likelihood, inversion"
bin/edm-sample --runs "$work/whole" --compare "euler,dpmpp-2m,ddpm" --budgets 4,8 --reference_steps 20 --seeds 0-1 --outdir "$work/compared"
bin/edm-sample --runs "$work/whole" --trajectory "$work/way.png" --seeds 1 --steps 6
bin/edm-sample --runs "$work/whole" --likelihood demo --count 2 --steps 4
bin/edm-sample --runs "$work/whole" --invert demo --count 2 --steps 8
go run "$root/.ci/checkpng.go" "$work"/guided/*.png "$work"/published/*.png "$work"/compared/*.png "$work/way.png"
echo "trained, killed, interrupted, resumed and sampled from a clean clone"
