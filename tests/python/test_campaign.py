#!/usr/bin/python3
"""The measurement campaign with fake tools: a program that hangs and one that fails cost only themselves, the hard stop and a signal leave
what was measured, and what comes out becomes suites that the program reads.

Environment: ROOFTRACE is the program, ROOFTRACE_SOURCE_DIR the repository.
"""

import csv
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("ROOFTRACE")
ROOT = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
CAMPAIGN = ROOT / "validation/gpu/campaign.sh"
INGEST = ROOT / "validation/gpu/ingest"
HEADER = "kind,case,quantity,median,min,p90,repeats,unit,l2_state"

SMI = """#!/bin/bash
case "$*" in
  *compute_cap*) echo 9.0 ;;
  *driver_version*) echo "NVIDIA H200, 580.1, 345 MHz, 3201 MHz, 1980 MHz, 3201 MHz, 700 W, Enabled, 5, 16, 30, Disabled, Enabled" ;;
  *-l*) while :; do echo tick; sleep 1; done ;;
  *) echo "==== NVSMI LOG ====" ;;
esac
"""

# Copies the fake program of the name that -o asks for; build.sh renames NAME.part to NAME.
NVCC = """#!/bin/bash
while (($#)); do [[ "$1" == -o ]] && out=$2; shift; done
[[ -n "${out:-}" ]] || { echo "fake nvcc 13.0"; exit 0; }
name=$(basename "$out" .part)
[[ -e "$FAKES/$name" ]] || { echo "no $name" >&2; exit 1; }
cp "$FAKES/$name" "$out"
"""

NCU = """#!/bin/bash
echo "$@" >"$FAKES/ncu_arguments"
echo '"ID","Kernel Name"'
"""


def rows(*lines):
    return "#!/bin/bash\ncat <<'END'\n" + "\n".join((HEADER, *lines)) + "\nEND\n"


DEVICE = "#!/bin/bash\necho 'name: NVIDIA H200'\necho 'compute_capability: 9.0'\necho 'sms: 132'\n"
STREAM = rows("elementwise,op=copy dtype=fp32 rows=1 cols=268435456,time_us,500,499,505,25,us,cold",
              "elementwise,op=memset dtype=fp32 rows=1 cols=268435456,time_us,250,249,255,25,us,cold")
SWEEP = rows("read_bandwidth,working_set_bytes=8388608 chunk_bytes=524288,bandwidth_GBps,7000,7100,6900,9,GB/s,warm")
HANG = rows("latency,access=random_chase chains=1 stride_bytes=128 working_set_bytes=8388608 clock_mhz=1980 sm=0,latency_cycles,270,268,275,7,cycles,warm",
            "latency,access=random_chase chains=1 stride_bytes=128 working_set_bytes=8388608 clock_mhz=1980 sm=34,latency_cycles,290,288,295,7,cycles,warm",
            ) + "printf 'latency,access=random_chase cut'\nsleep 1000 & wait\n"
FAIL = "#!/bin/bash\necho 'gather,broken' \necho 'out of memory' >&2\nexit 3\n"
TRANSFER = rows("transfer,path=pcie direction=h2d host_memory=pinned bytes=1048576,bandwidth_GBps,45,46,44,25,GB/s,cold",
                "transfer,path=pcie direction=bidirectional host_memory=pinned bytes=1048576,bandwidth_GBps,80,81,79,25,GB/s,cold")
LIBRARY = rows("gemm,dtype=bf16 m=64 n=4096 k=4096 kernel=cublas,time_us,14,13.8,14.5,25,us,cold")
DECODE = "kernel=paged_decode group=4 kv_heads=8 length=2048 ragged=0 sequences=4 shuffled={} splits=16 window={}"
KERNELS = f"""#!/bin/bash
row() {{ echo "$1"; }}
case "$1 $2" in
  "time gemm") echo {HEADER}; row "kernel,kernel=gemm_tma group=8 k=4096 m=64 n=4096,time_us,20,19,21,25,us,cold" ;;
  "time llm") echo {HEADER}; row "kernel,{DECODE.format(0, 1 << 30)} variant=contiguous,time_us,30,29,31,25,us,cold"
    row "kernel,{DECODE.format(0, 1024)} variant=window,time_us,20,19,21,25,us,cold"
    row "kernel,{DECODE.format(1, 1 << 30)} variant=shuffled,time_us,32,31,33,25,us,cold"
    row "kernel,kernel=prefill batch=1 kv_heads=8 q_heads=32 tokens=512,time_us,60,59,61,25,us,cold"
    row "kernel,kernel=rms_norm cols=4096 rows=64,time_us,4,3.9,4.2,25,us,cold" ;;
  "counters gemm") echo {HEADER}; row "counter,kernel=gemm_tma group=8 k=4096 m=64 n=4096,lts__t_sectors_srcunit_tex_op_read.sum,1600000,1600000,1600000,1,,cold"
    row "counter,kernel=gemm_tma group=8 k=4096 m=64 n=4096,dram__bytes_read.sum,34000000,34000000,34000000,1,,cold" ;;
  "counters llm") exit 1 ;;
  profile*) echo "kernel=gemm_tma" ;;
  trace*) head -c 3000 /dev/zero >"$2/0_rms_norm.rtcap" ;;
esac
"""
PROGRAMS = {"device_info": DEVICE, "stream": STREAM, "read_sweep": SWEEP, "latency": HANG, "gather": FAIL, "transfer": TRANSFER,
            "library_gemm": LIBRARY, "kernels": KERNELS}  # No zero_copy: it does not compile.


class Campaign(unittest.TestCase):
    def setUp(self):
        self.held = tempfile.TemporaryDirectory()
        self.addCleanup(self.held.cleanup)
        self.folder = pathlib.Path(self.held.name)
        self.fakes = self.folder / "fakes"
        tools = self.folder / "toolkit/bin"
        for folder in (self.fakes, tools, self.folder / "toolkit/include", self.folder / "toolkit/lib64", self.folder / "tmp"):
            folder.mkdir(parents=True)
        (self.folder / "toolkit/include/cublas_v2.h").touch()
        (self.folder / "toolkit/lib64/libcublas.so").touch()
        for path, text in [(tools / "nvidia-smi", SMI), (tools / "nvcc", NVCC), (tools / "ncu", NCU),
                           *((self.fakes / name, text) for name, text in PROGRAMS.items())]:
            path.write_text(text)
            path.chmod(0o755)
        (tools / "python3").write_text("#!/bin/bash\nexit 1\n")  # No torch here, whatever the machine has.
        (tools / "python3").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "FAKES": str(self.fakes), "TMPDIR": str(self.folder / "tmp")}

    def start(self, out, **limits):
        return subprocess.Popen([CAMPAIGN, str(out)], env={**self.environment, **limits}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)

    def run_campaign(self, **limits):
        out = self.folder / "out"
        process = self.start(out, **limits)
        _, self.log = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, self.log)
        return out

    def steps(self, out):
        with open(out / "steps.csv", newline="") as file:
            return {row["step"]: row for row in csv.DictReader(file)}

    def nothing_left(self):
        self.assertEqual(list((self.folder / "tmp").iterdir()), [], "the scratch folder is gone")
        for _ in range(50):  # A signal takes a moment to arrive.
            alive = [p for p in pathlib.Path("/proc").glob("[0-9]*/environ") if self.mine(p)]
            if not alive:
                break
            time.sleep(0.1)
        self.assertEqual(alive, [], "no process of the campaign stays")

    def mine(self, path):
        try:
            return f"FAKES={self.fakes}".encode() in path.read_bytes() and path.parent.name != str(os.getpid())
        except OSError:
            return False

    def test_a_hang_and_a_failure_cost_only_themselves(self):
        # 5 %: latency hangs for 30 x 5 % = 1 s.
        out = self.run_campaign(ROOFTRACE_CAMPAIGN_SECONDS="100", ROOFTRACE_CAMPAIGN_PERCENT="5")
        steps = self.steps(out)
        self.assertEqual(steps["latency"]["rc"], "124")  # timeout's.
        self.assertEqual(steps["gather"]["rc"], "3")
        self.assertEqual(steps["build"]["rc"], "1")  # zero_copy.
        self.assertNotEqual(steps["zero_copy"]["rc"], "0")
        self.assertEqual(steps["counters_llm"]["rc"], "1")
        for good in ("env", "device", "stream", "read_sweep", "transfer", "gemm_library", "gemm_time", "llm_time", "counters_gemm", "ncu_cold",
                     "trace_run", "stream_again"):
            self.assertEqual(steps[good]["rc"], "0", good)
        files = {path.name: path.stat().st_size for path in out.iterdir()}
        self.assertLessEqual(len(files), 8)
        self.assertLessEqual(max(files.values()), 16 << 20)
        self.assertEqual(set(files), {"env.txt", "steps.csv", "calib.csv", "kernels.csv", "counters.csv", "extras.tar.gz", "traces.tar"})
        calib = (out / "calib.csv").read_text()
        self.assertEqual(calib.count(HEADER), 1)
        self.assertIn("sm=34,latency_cycles", calib)  # What the hanging program had measured before it hung.
        self.assertNotIn("cut", calib)  # But not half a row.
        self.assertNotIn("broken", calib)
        self.assertEqual(calib.count("op=copy"), 2)  # Once at the start, once at the end.
        names = subprocess.run(["tar", "tf", out / "traces.tar"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(names.split(), ["0_rms_norm.rtcap.gz"])
        arguments = (self.fakes / "ncu_arguments").read_text()
        self.assertIn("--clock-control none", arguments)
        self.nothing_left()

    def test_the_hard_stop_keeps_what_there_is(self):
        # 20 s in all, 15 of them for packing: latency hangs into the stop, what comes after is skipped.
        begin = time.monotonic()
        out = self.run_campaign(ROOFTRACE_CAMPAIGN_SECONDS="20")
        self.assertLess(time.monotonic() - begin, 20)
        steps = self.steps(out)
        self.assertEqual(steps["latency"]["rc"], "124")
        self.assertEqual(steps["llm_time"]["rc"], "skipped")
        self.assertIn("op=copy", (out / "calib.csv").read_text())
        self.nothing_left()

    def test_a_signal_keeps_what_there_is(self):
        out = self.folder / "out"
        process = self.start(out)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not list((self.folder / "tmp").glob("*/latency.out")):
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 143)
        calib = (out / "calib.csv").read_text()
        self.assertIn("op=copy", calib)
        self.assertIn("working_set_bytes=8388608", calib)
        self.assertIn("env", self.steps(out))
        self.nothing_left()

    def test_its_results_become_suites_that_validate_reads(self):
        out = self.run_campaign(ROOFTRACE_CAMPAIGN_SECONDS="100", ROOFTRACE_CAMPAIGN_PERCENT="5")
        suites = self.folder / "suites"
        done = subprocess.run(["/usr/bin/python3", INGEST, out, "-o", suites], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        kinds = {path.stem for path in suites.glob("*.csv")}
        self.assertEqual(kinds, {"elementwise", "read_bandwidth", "latency", "transfer", "gemm", "attention"})
        table = {}
        for kind in kinds:
            with open(suites / f"{kind}.csv", newline="") as file, open(ROOT / f"validation/suites/{kind}.csv", newline="") as committed:
                reader = csv.DictReader(file)
                self.assertEqual(reader.fieldnames, csv.DictReader(committed).fieldnames)
                table[kind] = list(reader)
        self.assertEqual(table["latency"][0]["value"], "280")  # Between 270 and 290: the median over the SMs.
        self.assertEqual(len(table["transfer"]), 1)  # Both ways at once is no row of a suite.
        counted = [row for row in table["gemm"] if row["quantity"] == "l2_read_bytes"]
        self.assertEqual(counted[0]["value"], "51200000")  # 1,600,000 sectors of 32 B.
        self.assertEqual([row["window"] for row in table["attention"] if row["stage"] == "decode"], ["0", "1023"])
        self.assertIn("580.1", table["gemm"][0]["source"])
        provenance = json.loads((suites / "provenance.json").read_text())
        self.assertEqual(provenance["environment"]["power_limit"], "700 W")
        self.assertEqual(provenance["left_out"]["paged_decode"], 1)  # The shuffled one.
        for kind in sorted(kinds):
            done = subprocess.run([PROGRAM, "validate", "--suite", suites / f"{kind}.csv"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{kind}: {done.stderr}")
            self.assertIn(f"{len(table[kind])} rows: {len(table[kind])} scored", " ".join(done.stdout.split()).replace(" row:", " rows:"), kind)

    def test_ingest_names_what_is_wrong(self):
        out = self.folder / "bad"
        out.mkdir()

        def ingest():
            done = subprocess.run(["/usr/bin/python3", INGEST, out, "-o", self.folder / "suites"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.strip().count("\n"), 0, done.stderr)
            return done.stderr

        self.assertIn("env.txt", ingest())
        (out / "env.txt").write_text("gpu: Some Card\n")
        self.assertIn('"Some Card"', ingest())
        (out / "env.txt").write_text("gpu: NVIDIA H200\n")
        (out / "calib.csv").write_text(HEADER + "\nlatency,a=1,latency_cycles,fast,1,1,1,cycles,warm\n")
        self.assertIn("calib.csv:2", ingest())
        self.assertFalse((self.folder / "suites").exists())


if __name__ == "__main__":
    unittest.main()
