"""A whole Slurm of its own on this machine: munged, slurmctld and a few slurmd as foreground children in a temporary folder.

Nothing outside that folder is written, nothing is left running: stop() cancels the jobs, ends each child by its pid and then removes the
folder; should the test die, the kernel ends the children. Needs Debian's slurm-wlm, slurm-wlm-basic-plugins and munge, whose build takes
several slurmd on one machine.
"""

import ctypes
import getpass
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel", "sinfo")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
CONF = """\
ClusterName=rooftrace
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/run/munge.sock,cred_expire=5
SlurmctldPort={ctld_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
SlurmctldTimeout=10
SlurmdTimeout=5
InactiveLimit=0
KillWait=5
MinJobAge=600
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing_programs():
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


def wait_for(condition, what, seconds=60.0):
    """Polls until condition() is true; `sbatch --wait` and friends poll every few seconds only."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.1)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Cluster:
    """`nodes` nodes n0, n1 ... of two CPUs each."""

    def __init__(self, nodes=4):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rooftrace_slurm_"))
        self.names = [f"n{i}" for i in range(nodes)]
        self.children = {}
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH", "SQUEUE"))},
            "PATH": PATH,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def start(self):
        for name in ("state", "log", "run", *(f"spool/{node}" for node in self.names)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)  # munged wants a socket that every user can reach.
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        ctld_port, *ports = free_ports(1 + len(self.names))
        host = socket.gethostname().split(".")[0]
        text = CONF.format(host=host, user=getpass.getuser(), folder=self.folder, ctld_port=ctld_port)
        for name, port in zip(self.names, ports):
            text += f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=1000 State=UNKNOWN\n"
        (self.folder / "slurm.conf").write_text(text)
        run = self.folder / "run"
        self._child("munged", "munged", "-F", f"--key-file={key}", f"--socket={run}/munge.sock", f"--pid-file={run}/munged.pid",
                    f"--log-file={self.folder}/log/munged.log", f"--seed-file={self.folder}/munge.seed")
        wait_for(lambda: (run / "munge.sock").exists(), "munged's socket", 20)
        self.start_controller()
        for name in self.names:
            self.start_node(name)
        self.wait_for_nodes()

    def start_controller(self):
        self._child("slurmctld", "slurmctld", "-D", "-i")
        wait_for(lambda: "UP" in self.ask("scontrol", "ping").stdout, "the controller", 30)

    def start_node(self, name):
        self._child(name, "slurmd", "-D", "-N", name)

    def wait_for_nodes(self):
        wait_for(lambda: len(self.ask("sinfo", "-h", "-N", "-t", "idle").stdout.splitlines()) == len(self.names), "all nodes idle", 60)

    def end(self, name, number=signal.SIGTERM):
        """Ends the child of this name and waits until it is gone."""
        child = self.children.pop(name)
        child.send_signal(number)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def lose_node(self, name):
        """What a power cut does: the daemon of the node and all that it runs are gone without a word."""
        daemon = self.children[name].pid
        os.kill(daemon, signal.SIGSTOP)  # Or it would still report what happens to its jobs.
        for pid in self.processes(f"SLURMD_NODENAME={name}"):
            kill(pid)
        self.end(name, signal.SIGKILL)

    def processes(self, variable):
        """Pids of what our jobs run with this NAME=VALUE in their environment, and of the slurmstepd above it; those come first."""
        wanted = {variable.encode(), f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()}
        found, daemons = [], []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or not wanted <= set((entry / "environ").read_bytes().split(b"\0")):
                    continue
                found.append(int(entry.name))
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if pathlib.Path("/proc", parent, "comm").read_text().startswith("slurmstepd"):
                    daemons.append(int(parent))
            except OSError:
                continue  # It ended meanwhile.
        return list(dict.fromkeys(daemons + found))

    def ask(self, *command):
        return subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              timeout=60)

    def jobs(self):
        """State of every job: {"12_3": "RUNNING"}."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").stdout.splitlines()
        return dict(line.split() for line in lines if len(line.split()) == 2)

    def logs(self):
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted((self.folder / "log").iterdir()))

    def stop(self):
        try:
            if "slurmctld" in self.children:
                self.ask("scancel", "--quiet", "--user", getpass.getuser())
                try:
                    wait_for(lambda: not self.ask("squeue", "-h").stdout.strip(), "no more jobs", 20)
                except (AssertionError, subprocess.TimeoutExpired):
                    pass  # Ended below.
            for name in self.names:
                for pid in self.processes(f"SLURMD_NODENAME={name}"):
                    kill(pid)
        finally:
            for name in list(self.children)[::-1]:
                self.end(name)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _child(self, name, *command):
        with open(self.folder / "log" / f"{name}.out", "ab") as out:
            self.children[name] = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                                                   stderr=subprocess.STDOUT, preexec_fn=die_with_parent)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
