#!/usr/bin/env bash
# The measurement campaign: one unattended call on a machine with one NVIDIA GPU (sm_80 or later), at most nine minutes.
#
#   validation/gpu/campaign.sh [FOLDER]     FOLDER: where the results go; default $OUT, else ./campaign-out
#
# Steps run in order of value, each under its own limit; one that fails or hangs costs only itself, and whatever was measured is packed
# when the script ends, for whatever reason. At most 8 files of at most 16 MB. The card is measured as it is found: clocks, power limit,
# modes are read, never set. README.md beside this says what is in the files; `ingest` makes suites of them.
#
# For tests: ROOFTRACE_CAMPAIGN_SECONDS (540) is the hard stop, ROOFTRACE_CAMPAIGN_PERCENT (100) scales every step's limit.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root here="$root/validation/gpu"
readonly total=${ROOFTRACE_CAMPAIGN_SECONDS:-540} percent=${ROOFTRACE_CAMPAIGN_PERCENT:-100}
readonly most_bytes=$((15 * 1024 * 1024))
out=${1:-${OUT:-campaign-out}}
mkdir -p "$out" || { echo "campaign: cannot make $out" >&2; exit 2; }
out=$(cd "$out" && pwd)
work=$(mktemp -d) || exit 2
mkdir -p "$work/bin" "$work/extras" "$work/traces" "$work/logs"
readonly started=$SECONDS packing=15

steps="$work/steps.csv"
echo "step,rc,seconds,limit" >"$steps"

left() { echo $((total - packing - (SECONDS - started))); }

# step NAME LIMIT COMMAND...: stdout to $work/NAME.out, stderr to the logs. A step that is out of time is killed with its children.
step() {
  local name=$1 limit=$2 begin rc remaining
  shift 2
  limit=$((limit * percent / 100))
  ((limit > 0)) || limit=1
  remaining=$(left)
  if ((remaining < 2)); then
    echo "$name,skipped,0,$limit" >>"$steps"
    return 0
  fi
  ((limit <= remaining)) || limit=$remaining
  begin=$(date +%s.%N)
  # In a process group of its own (timeout makes one), so that nothing of it stays; in the background, so that a signal is seen at once.
  timeout --kill-after=2 "$limit" "$@" >"$work/$name.out" 2>"$work/logs/$name.log" &
  step_pid=$!
  wait "$step_pid"
  rc=$?
  step_pid=""
  printf '%s,%s,%.2f,%s\n' "$name" "$rc" "$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')" "$limit" >>"$steps"
  echo "campaign: $name: rc $rc, $((SECONDS - started)) s so far" >&2
  return 0
}

# Rows of several outputs under one header.
collect() {
  local to=$1 name file first=1
  shift
  for name in "$@"; do
    file="$work/$name.out"
    [[ -s "$file" ]] || continue
    if ((first)); then head -n 1 "$file" >"$to"; first=0; fi
    # A line cut short by a kill has fewer cells than the header.
    awk -F, -v step="$name" 'NR == 1 { cells = NF; next } NF == cells' "$file" >>"$to"
  done
}

smi_pid="" step_pid=""
packed=0
pack() {
  ((packed)) && return
  packed=1
  local pid
  for pid in $step_pid $smi_pid; do kill "$pid" 2>/dev/null; done
  collect "$out/calib.csv" stream read_sweep latency gather transfer zero_copy stream_again
  collect "$out/kernels.csv" gemm_library gemm_time llm_time
  collect "$out/counters.csv" counters_gemm counters_llm
  cat "$work/env.out" "$work/device.out" >"$out/env.txt" 2>/dev/null
  cp "$steps" "$out/steps.csv"
  local name
  for name in ncu_cold ncu_warm torch sanitizer trace_run; do
    [[ ! -s "$work/$name.out" ]] || cp "$work/$name.out" "$work/extras/$name.txt"
  done
  cp -r "$work/logs" "$work/smi.csv" "$work/extras/" 2>/dev/null
  timeout 8 tar -C "$work" -czf "$out/extras.tar.gz" extras 2>/dev/null
  pack_traces
  # Nothing that is too large to be taken along: said, not cut.
  local file
  for file in "$out"/*; do
    if (($(stat -c %s "$file") > most_bytes)); then
      echo "$(basename "$file"),too large,$(stat -c %s "$file"),$most_bytes" >>"$out/steps.csv"
      rm -f "$file"
    fi
  done
  rm -rf "$work"
  echo "campaign: results in $out" >&2
}

# Compressed one by one, the small ones first, as long as they fit; what does not is named in steps.csv.
pack_traces() {
  local file size sum=0 take=()
  for file in "$work"/traces/*.rtcap; do [[ ! -e "$file" ]] || timeout 5 gzip -9 "$file"; done
  while read -r size file; do
    if ((sum + size < most_bytes - 65536)); then
      take+=("$(basename "$file")")
      sum=$((sum + size))
    else
      echo "$(basename "$file"),left out,$size,$most_bytes" >>"$out/steps.csv"
    fi
  done < <(stat -c '%s %n' "$work"/traces/*.gz 2>/dev/null | sort -n)
  ((${#take[@]})) && timeout 8 tar -C "$work/traces" -cf "$out/traces.tar" "${take[@]}"
}
trap pack EXIT
trap 'exit 143' TERM INT HUP

environment() {
  echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  echo "kernel: $(uname -sr)"
  echo "commit: $(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"
  nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit,ecc.mode.current,pcie.link.gen.current,pcie.link.width.current,temperature.gpu,mig.mode.current,persistence_mode --format=csv,noheader |
    awk -F', ' '{ print "gpu: " $1; print "driver: " $2; print "sm_clock: " $3; print "memory_clock: " $4; print "max_sm_clock: " $5;
      print "max_memory_clock: " $6; print "power_limit: " $7; print "ecc: " $8; print "pcie_gen: " $9; print "pcie_width: " $10;
      print "temperature: " $11; print "mig: " $12; print "persistence: " $13 }'
  local tool
  for tool in nvcc ncu compute-sanitizer cuobjdump python3; do
    echo "$tool: $(command -v "$tool" || echo none) $("$tool" --version 2>/dev/null | tail -n 1)"
  done
  ldd --version 2>/dev/null | head -n 1 | sed 's/^/libc: /'
  nvidia-smi -q
}
export -f environment
export root

# ncu sets: names from the program that also checks them, else from the header.
metrics() {
  sed -n "/^inline.* $1_pass_metrics()/,/^}/p" "$here/metrics.hpp" | grep -o '"[a-z0-9_]*\.[a-z_.]*"' | tr -d '"' | paste -sd,
}

step env 15 bash -c environment
if command -v nvidia-smi >/dev/null; then
  timeout "$total" nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu --format=csv -l 1 >"$work/smi.csv" 2>/dev/null &
  smi_pid=$!
fi

# sm_90 is built as 90a: TMA and wgmma.
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. ')
[[ "$capability" == 90 ]] && capability=90a
step build 90 "$here/build.sh" --arch "${capability:-90a}" --out "$work/bin"

bin="$work/bin"
step device 15 "$bin/device_info"
step stream 25 "$bin/stream"
step read_sweep 30 "$bin/read_sweep"
step latency 30 "$bin/latency"
step gather 15 "$bin/gather"
step transfer 20 "$bin/transfer"
step zero_copy 20 "$bin/zero_copy"
step gemm_library 30 "$bin/library_gemm"
step gemm_time 40 "$bin/kernels" time gemm 32
step llm_time 60 "$bin/kernels" time llm 50
step counters_gemm 30 "$bin/kernels" counters gemm 25
step counters_llm 40 "$bin/kernels" counters llm 34
if command -v ncu >/dev/null; then
  profiler=(ncu --clock-control none --replay-mode kernel --profile-from-start off --csv --page raw --print-units base)
  step ncu_cold 70 "${profiler[@]}" --cache-control all --metrics "$(metrics one),$(metrics two)" "$bin/kernels" profile cold
  step ncu_warm 50 "${profiler[@]}" --cache-control none --metrics "$(metrics one)" "$bin/kernels" profile warm
fi
if python3 -c 'import torch' 2>/dev/null; then
  step torch 60 python3 "$here/torch_reference.py" "$work/extras"
fi
step trace_run 50 "$bin/kernels" trace "$work/traces" 40
step sanitizer 40 bash "$here/sanitizer_try.sh" "$bin" "$work"
step stream_again 15 "$bin/stream"
step env_end 5 nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv
