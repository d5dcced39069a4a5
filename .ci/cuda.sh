#!/usr/bin/env bash
# The whole CUDA path without toolkit and GPU: the commands build, start and run
# on the CPU where there is no driver, and every CUDA test passes on the emulated
# driver. It wants gcc and g++ (.ci/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "CUDA: $*"
	exit 1
}

echo "--- the binding's generator, and what builds many tests as one program"
go test -C tools -count=1 ./cudabind ./onetest

echo "--- build"
make cuda
for command in bin/edm-train bin/edm-sample; do
	libraries=$(ldd "$command")
	[[ $libraries != *libcuda* ]] || fail "$command does not start without the driver's library"
done

echo "--- vet and staticcheck, with the tag gpu"
(
	. build/cuda/env.sh
	go vet -tags gpu ./...
	go tool -modfile=tools/go.mod staticcheck -tags gpu ./...
)

echo "--- no driver: trains and samples on the CPU"
export EDM_CUDA_DRIVER=$work/no-such-driver.so
bin/edm-train --preset demo --model-channels 16 --batch 16 --micro 16 --duration 0.00016 --validation 16 \
	--preview 4 --outdir "$work/runs"
bin/edm-sample --runs "$work/runs" --seeds 0-3 --steps 3 --outdir "$work/samples"
[ -s "$work/samples/000003.png" ] || fail "no images were drawn"
unset EDM_CUDA_DRIVER

echo "--- emulated driver; the first run on a GPU, rehearsed, has most of the tests"
EDM_REQUIRE_CUDA=1 make -j2 --output-sync=target cuda-first cuda-races cuda-commands cuda-sums emulator-test
