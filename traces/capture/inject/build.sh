#!/usr/bin/env bash
# Builds librooftrace_inject.so and rooftrace_patches.fatbin: build.sh --out FOLDER [--nvcc NVCC]
#
# Needs nvcc and the Compute Sanitizer's headers and library, which come with the full CUDA toolkit (or set SANITIZER_HOME to the folder
# that holds include/sanitizer.h). Exit codes: 0; 1: it does not compile; 2: a mistake in the command; 77: no sanitizer or no nvcc here.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
nvcc=${NVCC:-nvcc} out=""
while (($#)); do
  case "$1" in
    --out) out=${2:?--out needs a folder}; shift 2 ;;
    --nvcc) nvcc=${2:?--nvcc needs a path}; shift 2 ;;
    *) echo "inject/build.sh: no option $1" >&2; exit 2 ;;
  esac
done
[[ -n "$out" ]] || { echo "inject/build.sh: --out is needed" >&2; exit 2; }
command -v "$nvcc" >/dev/null || { echo "inject/build.sh: skipped, no $nvcc" >&2; exit 77; }
mkdir -p "$out" || exit 2
toolkit=$(cd "$(dirname "$(command -v "$nvcc")")/.." && pwd)

# Patches compile without the sanitizer. Machine code for what we know, no PTX: a patch is never compiled by the driver.
"$nvcc" -std=c++20 --fatbin --compile-as-tools-patch --keep-device-functions "-I$root" -gencode arch=compute_80,code=sm_80 \
  -gencode arch=compute_90,code=sm_90 "$root/traces/capture/inject/patches.cu" -o "$out/rooftrace_patches.fatbin" || exit 1

sanitizer=""
for folder in "${SANITIZER_HOME:-/nonexistent}" "$toolkit/compute-sanitizer" "$toolkit/extras/Sanitizer" /usr/local/cuda/compute-sanitizer \
  /opt/nvidia/compute-sanitizer; do
  [[ -e "$folder/include/sanitizer.h" ]] && { sanitizer=$folder; break; }
done
[[ -n "$sanitizer" ]] || { echo "inject/build.sh: skipped, no compute-sanitizer/include/sanitizer.h (set SANITIZER_HOME)" >&2; exit 77; }
library=$sanitizer
[[ -e "$sanitizer/libsanitizer-public.so" ]] || library="$sanitizer/lib64"
"${CXX:-g++}" -std=c++20 -O2 -Wall -Wextra -fPIC -shared "-I$root" "-I$sanitizer/include" "-I$toolkit/include" \
  "$root"/traces/capture/inject/{inject,options,session,code_scan}.cpp "$root/traces/capture/capture_file.cpp" \
  "-L$library" -lsanitizer-public "-Wl,-rpath,$library" -ldl -o "$out/librooftrace_inject.so" || exit 1
echo "$out/librooftrace_inject.so"
