"""Tables, and the parts of docs/BENCHMARKS.md that are generated."""

import math
import os
import platform
import re
from datetime import date
from pathlib import Path


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def geometric_mean(values: list[float]) -> float:
    """Of ratios; not a number when there are none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def verdict(value: float, target: float, at_least: bool) -> str:
    """Whether a target is met."""
    met = value >= target if at_least else value <= target
    return "met" if met else "**not met**"


def machine() -> str:
    """Processor, cores and memory."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = cpu.group(1).strip() if cpu else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}"


def heading(versions: dict[str, str], load: tuple[float, ...]) -> str:
    """Date, machine and versions of what was measured."""
    peers = ", ".join(f"{name} {version}" for name, version in versions.items())
    loads = ", ".join(f"{value:.1f}" for value in load)
    return f"{date.today().isoformat()}. Machine: {machine()}; load averages at the end {loads}.\n{peers}."


def put(document: Path, part: str, text: str) -> None:
    """Replaces what is between the markers of this part, or appends both."""
    begin, end = f"<!-- generated: {part} -->", f"<!-- end: {part} -->"
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    old = document.read_text() if document.exists() else "# Benchmarks\n"
    if begin in old and end in old:
        before, after = old.split(begin)[0], old.split(end)[1]
        new = before + block + after
    else:
        new = f"{old.rstrip()}\n\n{block}\n"
    document.write_text(new)
    print(f"wrote part `{part}` of {document}")
