"""How much memory this process has had, and how much it may have."""

import re
import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """The most memory this process ever had, its libraries included; None where the system doesn't say."""
    try:  # not getrusage: there a fresh process starts with its parent's peak
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) / 2**10 if found else None
    except OSError:
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def limit_memory(mebibytes: int) -> None:
    """From now on this process gets so much more memory at most, where the system can see to that (Linux)."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + mebibytes * 2**20,) * 2)
    except (ImportError, OSError, ValueError):
        pass
