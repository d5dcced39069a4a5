# Sourced by .ci/run: steps, their times, and nothing that a step needs.

step_names=()
step_seconds=()

# step NAME COMMAND...: announces and times a command; stops the run if it fails.
step() {
	local name=$1 began=$SECONDS
	shift
	printf '\n=== %s\n' "$name"
	bash "$@" || {
		printf '=== FAILED: %s (%d s)\n' "$name" $((SECONDS - began))
		exit 1
	}
	step_names+=("$name")
	step_seconds+=($((SECONDS - began)))
	printf '=== ok: %s (%d s)\n' "$name" $((SECONDS - began))
}

# summary prints the time of each step.
summary() {
	local i
	printf '\n'
	for i in "${!step_names[@]}"; do
		printf '%5d s  %s\n' "${step_seconds[$i]}" "${step_names[$i]}"
	done
	printf '%d passed, 0 failed\n' "${#step_names[@]}"
}
