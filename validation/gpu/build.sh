#!/usr/bin/env bash
# Compiles the measuring programs with nvcc, side by side: build.sh --arch 90a --out FOLDER [--nvcc NVCC] [-j JOBS] [PROGRAM...]
#
# --arch may come several times. CUPTI is used where its header and library are found beside the toolkit (or in $CUPTI_HOME), cuBLAS
# likewise; without them kernels has no counters and library_gemm is not built. A program that does not compile does not stop the others.
# Exit codes: 0: all compiled; 1: some did not (their messages are in FOLDER/NAME.log and on stderr); 2: a mistake in the command.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

nvcc=${NVCC:-nvcc} out="" jobs=$(nproc) archs=() programs=()
while (($#)); do
  case "$1" in
    --arch) archs+=("${2:?--arch needs a number}"); shift 2 ;;
    --out) out=${2:?--out needs a folder}; shift 2 ;;
    --nvcc) nvcc=${2:?--nvcc needs a path}; shift 2 ;;
    -j) jobs=${2:?-j needs a number}; shift 2 ;;
    -j*) jobs=${1#-j}; shift ;;
    -*) echo "build.sh: no option $1" >&2; exit 2 ;;
    *) programs+=("$1"); shift ;;
  esac
done
[[ -n "$out" && ${#archs[@]} -gt 0 ]] || { echo "build.sh: --out and --arch are needed" >&2; exit 2; }
command -v "$nvcc" >/dev/null || { echo "build.sh: no $nvcc" >&2; exit 2; }
mkdir -p "$out" || exit 2

codes=()
for arch in "${archs[@]}"; do codes+=(-gencode "arch=compute_$arch,code=sm_$arch"); done
toolkit=$(cd "$(dirname "$(command -v "$nvcc")")/.." && pwd)

# First folder of those named that holds the file.
holds() { local file=$1; shift; local folder; for folder in "$@"; do [[ -e "$folder/$file" ]] && { echo "$folder"; return 0; }; done; return 1; }
includes=("${CUPTI_HOME:-/nonexistent}/include" "$toolkit/include" "$toolkit/extras/CUPTI/include" "$toolkit"/targets/*/include)
libraries=("${CUPTI_HOME:-/nonexistent}/lib64" "$toolkit/lib64" "$toolkit/lib" "$toolkit/extras/CUPTI/lib64" "$toolkit"/targets/*/lib)
cupti=()
if include=$(holds cupti_range_profiler.h "${includes[@]}") && library=$(holds libcupti.so "${libraries[@]}"); then
  cupti=(-DROOFTRACE_CUPTI "-I$include" "-L$library" -lcupti -Xlinker -rpath -Xlinker "$library")
fi
cublas=()
if holds cublas_v2.h "${includes[@]}" >/dev/null && library=$(holds libcublas.so "${libraries[@]}"); then
  cublas=("-L$library" -lcublas -Xlinker -rpath -Xlinker "$library")
fi

if ((${#programs[@]} == 0)); then
  programs=(kernels device_info stream read_sweep latency gather transfer zero_copy library_gemm)
fi

build() {
  local name=$1 more=()
  case "$name" in
    kernels) more=("$root/validation/gpu/counters.cpp" "${cupti[@]}") ;;
    library_gemm) more=("${cublas[@]}") ;;
  esac
  if "$nvcc" -std=c++20 -O2 "-I$root" "${codes[@]}" "$root/validation/gpu/$name.cu" "${more[@]}" -o "$out/$name.part" >"$out/$name.log" 2>&1; then
    mv "$out/$name.part" "$out/$name"
  else
    echo "build.sh: $name did not compile" >&2
    cat "$out/$name.log" >&2
    return 1
  fi
}

failed=0
pids=()
for name in "${programs[@]}"; do
  if [[ "$name" == library_gemm && ${#cublas[@]} -eq 0 ]]; then
    echo "build.sh: no cuBLAS; library_gemm is left out" >&2
    continue
  fi
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  build "$name" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
((${#cupti[@]})) || echo "build.sh: no CUPTI; kernels has no counters" >&2
exit "$failed"
