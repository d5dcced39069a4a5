#!/usr/bin/env bash
# Installs what the other steps use and a bare machine lacks: a C compiler for
# the race detector, clang for the CUDA kernels, g++ for the emulated driver, Python's venv, an arm64 emulator, git.
set -euo pipefail

packages=()
command -v gcc >/dev/null || packages+=(gcc libc6-dev)
command -v git >/dev/null || packages+=(git ca-certificates)
command -v clang-19 >/dev/null || packages+=(clang-19)
command -v g++ >/dev/null || packages+=(g++)
command -v qemu-aarch64-static >/dev/null || packages+=(qemu-user-static)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing: run as root, or install first: ${packages[*]}"
		exit 1
	fi
	echo "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
go version
gcc --version | head -n 1
clang-19 --version | head -n 1
qemu-aarch64-static --version | head -n 1
python3 --version
