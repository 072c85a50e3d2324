#!/usr/bin/env bash
# sanitizer_try.sh BIN WORK: the injected capture library on one of our kernels, if the toolkit has what it takes; prints what happened.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$1 work=$2
if command -v compute-sanitizer >/dev/null; then
  echo "compute-sanitizer: $(compute-sanitizer --version 2>&1 | tail -n 1)"
  timeout 15 compute-sanitizer --tool memcheck "$bin/device_info" 2>&1 | tail -n 2
fi
if bash "$root/traces/capture/inject/build.sh" --out "$work/inject"; then
  mkdir -p "$work/injected"
  CUDA_INJECTION64_PATH="$work/inject/librooftrace_inject.so" ROOFTRACE_INJECT_OUT="$work/injected/gather.rtcap" ROOFTRACE_INJECT_SAMPLE=1000 \
    timeout 20 "$bin/gather" >/dev/null
  echo "injected gather: rc $?"
  ls -l "$work/injected"
  cp "$work"/injected/*.rtcap "$work/traces/" 2>/dev/null
fi
exit 0
