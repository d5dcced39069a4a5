#!/usr/bin/env bash
# Checks the project on a machine with a GPU, which needs neither Go nor a CUDA
# toolkit. From the folder that bundle.sh makes:
#   bash check.sh [-o OUTDIR] [-t SECONDS] [-l SECONDS] [PART ...]
# runs the parts that are named, or all, in this order:
#   device     what nvidia-smi says, and whether the commands find the GPU
#   modules    the driver compiles every PTX
#   layouts    single instructions: matrix fragments, shuffles, copies, rounding
#   suite      every CUDA test; none may be skipped
#   checked    a few programs with each launch waited for
#   bench      training and sampling against PyTorch, as far as the time goes
#   sanitizer  compute-sanitizer's four tools on the kernels' tests
#   profile    ncu on the ten costliest kernels of a training step
# -t is the time for all of it (3600), -l for one step (300; bench has all that
# is left). A step that fails or runs out of time does not stop the others. Each
# has a log in OUTDIR (gpu-results); results.tsv and results.json there have the
# verdicts: ok, failed, timeout, missing (a tool is not installed), no time. The
# exit status is 1 if anything failed. EDM_CUDA_DRIVER names another driver.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=gpu-results budget=3600 longest=300
while getopts o:t:l: option; do
	case $option in
	o) out=$OPTARG ;;
	t) budget=$OPTARG ;;
	l) longest=$OPTARG ;;
	*) sed -n '2,22s/^# \{0,1\}//p' "$0" && exit 2 ;;
	esac
done
shift $((OPTIND - 1))
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
failures=0
verdicts=()

export EDM_REQUIRE_CUDA=1 EDM_REFERENCE=$root/internal/reference/testdata

# left prints the seconds that are left, less what it takes to end a step.
left() { echo $((budget - SECONDS - 10)); }

# verdict NAME VERDICT SECONDS REMARK: notes how a step ended. The files are
# whole after every step, since the machine may be taken away at any time.
verdict() {
	local remark=${4//[\"\\$'\t\n']/ }
	[[ $2 == failed || $2 == timeout ]] && failures=$((failures + 1))
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$remark" | tee -a "$out/results.tsv"
	verdicts+=("{\"step\": \"$1\", \"verdict\": \"$2\", \"seconds\": $3, \"remark\": \"$remark\"}")
	(
		IFS=,
		printf '[%s]\n' "${verdicts[*]}"
	) >"$out/results.json"
}

# step NAME LIMIT COMMAND...: runs a command with its output in NAME.log. Go
# programs print where they are when they run out of time.
step() {
	local name=$1 limit=$2 began=$SECONDS rest how=failed status
	shift 2
	rest=$(left)
	if ((rest < 5)); then
		verdict "$name" "no time" 0 ""
		return
	fi
	timeout -s QUIT -k 5 $((limit < rest ? limit : rest)) "$@" </dev/null >"$out/$name.log" 2>&1
	status=$?
	case $status in
	0) how=ok ;;
	124 | 137) how=timeout ;;
	esac
	verdict "$name" "$how" $((SECONDS - began)) "$(remark "$out/$name.log")"
}

# remark LOG: what a log says in short: how many tests passed and which did not,
# or else its last line.
remark() {
	local passed bad
	passed=$(grep -c '^--- PASS' "$1")
	bad=$(grep -oE '^--- (FAIL|SKIP): [^ ]*' "$1" | cut -c5- | head -n 20)
	if [[ $passed != 0 || -n $bad ]]; then
		echo "$passed passed${bad:+, }${bad//$'\n'/, }"
	else
		tail -n 1 "$1" | cut -c-300
	fi
}

# tests NAME PACKAGE PATTERN: a package's tests, in its folder.
tests() {
	step "$1" "$longest" env -C "$root/$2" "$root/bin/${2//\//-}.test" -test.v -test.timeout=0 -test.run "$3"
}

# tool NAME: prints where a program of NVIDIA's is, which need not be on the path.
tool() {
	local path
	for path in "$(command -v "$1")" /usr/local/cuda*/bin/"$1" /opt/nvidia/nsight-compute/*/"$1"; do
		[[ -x $path ]] && echo "$path" && return
	done
	return 1
}

# find_driver names the driver where the loader would not find it.
find_driver() {
	local path
	[[ -n ${EDM_CUDA_DRIVER:-} ]] && return
	ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' && return
	for path in ${LD_LIBRARY_PATH//:/ } /usr/local/nvidia/lib64 /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/local/cuda/compat; do
		[[ -e $path/libcuda.so.1 ]] && export EDM_CUDA_DRIVER=$path/libcuda.so.1 && return
	done
}

device() {
	if tool nvidia-smi >/dev/null; then
		step nvidia-smi 30 nvidia-smi
		step nvidia-smi-q 30 nvidia-smi -q
	else
		verdict nvidia-smi missing 0 ""
	fi
	step device "$longest" "$root/bin/edmbench" -preset demo -batch 1 -device cuda
}

modules() { tests modules internal/cuda '^TestModulesLoad$'; }

layouts() {
	tests layouts internal/cuda '^Test(Shuffles|Matrices|Fragments|ProductSums|Copies|Rounding|Arithmetic|Functions)$'
}

suite() {
	local package pattern
	while IFS=$'\t' read -r package pattern <&3; do
		tests "suite-${package//\//-}" "$package" "$pattern"
	done 3<"$root/suite.tsv"
}

checked() {
	export EDM_CUDA_CHECK=1
	tests checked-programs internal/cuda '^Test(Runs|MirroredRuns|Programs|Updater)$'
	tests checked-training cmd/edm-train '^TestTrainOnTheGPU$'
	unset EDM_CUDA_CHECK
}

bench() {
	local preset precision
	if python3 -c 'import torch' 2>/dev/null; then
		step bench "$(left)" python3 "$root/bench/gpu.py" --edmbench "$root/bin/edmbench" --budget "$(left)" \
			--json "$out/bench.json" --markdown "$out/bench.md"
		return
	fi
	verdict bench-torch missing 0 "python3 has no torch"
	for preset in small cifar10; do
		for precision in bf16 tf32 fp32; do
			step "bench-$preset-$precision" "$longest" "$root/bin/edm-train" --bench --preset $preset --batch 512 \
				--device cuda --precision $precision
		done
	done
}

# kernel_tests reach every kernel, with few and small programs: a sanitizer makes
# them a hundred times slower.
kernel_tests='^Test(Shuffles|Matrices|Fragments|Copies|ConvBits|ConvOverResidual|PackPixels|PackWeights|LinearBits|AttentionBits|NormChunks|Alignment|OverInputs|Pairs|AdamKernel|FlatSums|Updater|Programs)$'

sanitizer() {
	local sanitizer kind
	if ! sanitizer=$(tool compute-sanitizer); then
		verdict sanitizer missing 0 ""
		return
	fi
	for kind in memcheck racecheck synccheck initcheck; do
		step "sanitizer-$kind" "$longest" env -C "$root/internal/cuda" "$sanitizer" --tool $kind --error-exitcode 9 \
			--report-api-errors no "$root/bin/internal-cuda.test" -test.v -test.timeout=0 -test.run "$kernel_tests"
	done
}

# training_step is one step of cifar10 whose launches are each by themselves.
training_step() {
	echo '{"do":"train","steps":1}' |
		EDM_CUDA_CHECK=1 timeout -s QUIT -k 5 "$longest" "$@" "$root/bin/edmbench" -preset cifar10 -batch 128 \
			-device cuda -precision bf16
}

# costliest FILE: the ten kernels that take the most time in ncu's table.
costliest() {
	awk -F'","' '
		/"Kernel Name"/ { for (i = 1; i <= NF; i++) { if ($i == "Kernel Name") name = i; if ($i ~ /^Metric Value/) value = i } next }
		name && NF >= value { gsub(/[",]/, "", $value); sub(/\(.*/, "", $name); time[$name] += $value }
		END { for (k in time) printf "%.0f\t%s\n", time[k], k }' "$1" | sort -rn | head -n 10 | cut -f2
}

profile() {
	local ncu kernel
	if ! ncu=$(tool ncu); then
		verdict profile missing 0 ""
		return
	fi
	export -f training_step
	export root longest
	step profile-times "$longest" bash -c 'training_step "$@"' - "$ncu" --clock-control none --csv --print-units base \
		--metrics gpu__time_duration.sum
	for kernel in $(costliest "$out/profile-times.log"); do
		step "profile-$kernel" "$longest" bash -c 'training_step "$@"' - "$ncu" --clock-control none -k "$kernel" -c 2 \
			--section SpeedOfLight --section ComputeWorkloadAnalysis --section MemoryWorkloadAnalysis \
			--section Occupancy --section WarpStateStats --section LaunchStats
	done
}

parts=(device modules layouts suite checked bench sanitizer profile)
(($#)) || set -- "${parts[@]}"
for part; do
	[[ " ${parts[*]} " == *" $part "* ]] || { echo "no part $part, want: ${parts[*]}"; exit 2; }
done
find_driver
: >"$out/results.tsv"
for part; do "$part"; done
echo "$failures failed; logs and results in $out"
((failures == 0))
