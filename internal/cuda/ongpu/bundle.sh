#!/usr/bin/env bash
# Packs what first.sh runs on a machine with a GPU and without Go:
#   bash bundle.sh ARCHIVE
# writes ARCHIVE (.tar.xz): the training command, the program of the comparison with
# PyTorch, and one program with the tests of five packages. Everything else is in
# the checkout, which has to be beside the archive. The environment is that of
# build/cuda/env.sh.
set -euo pipefail
archive=$(realpath -m "${1:?usage: bundle.sh ARCHIVE}")
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# The packages whose tests open a device. The commands' own tests are not among
# them: they belong to programs of their own.
packages=(./internal/cuda ./internal/cuda/driver ./internal/cuda/ptx ./model ./train)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
go build -trimpath -tags gpu -ldflags "-s -w" -o "$work/bin/" ./cmd/edm-train ./bench/edmbench
go run -C tools ./onetest -dir .. -tags gpu -out "$work/bin/suite" "${packages[@]}"

# The programs share much of their code, at a distance that only a large dictionary
# spans; the filter makes equal calls equal bytes wherever they stand.
mkdir -p "$(dirname "$archive")"
tar --sort=name --owner=0 --group=0 --mtime=@0 -cf - -C "$work" bin |
	xz --x86 --lzma2=preset=6,dict=192MiB >"$archive.part"
mv "$archive.part" "$archive"

# What a check may carry to another machine: 16 MiB of archive, and with the
# tracked files 52 MiB.
packed=$(stat -c %s "$archive")
tracked=$(git ls-files -z | xargs -0 stat -c %s | awk '{ sum += $1 } END { print sum }')
libc=$(cat "$work"/bin/* | grep -ao 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
awk -v a="$packed" -v t="$tracked" -v libc="${libc/_/ }" 'BEGIN {
	mib = 1048576
	printf "archive %.2f MiB, tracked files %.2f MiB, together %.2f MiB; the programs want Linux with %s\n", a / mib, t / mib, (a + t) / mib, libc
	if (a > 16 * mib || a + t > 52 * mib) {
		print "too large: at most 16 MiB of archive and 52 MiB together"
		exit 1
	}
}'
