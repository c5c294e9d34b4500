"""CPU time, wall time and peak memory of the eager set: ours through the child and in process, sharp twice, the floor."""

import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pyvips
import simplejpeg

import report
from corpus import Source, fifty_megapixels, made_formats, one_megapixel
from peers import Floor, Sharp, Thumbline, Unsupported

WAYS = ("each", "cascade")
# What the project wants: (name, peer, which files, ratio, at least or at most).
TARGETS = (
    ("sharp once per size, baseline", "each", True, 5.0, True),
    ("sharp once per size, all", "each", False, 7.0, True),
    ("sharp as a cascade, baseline", "cascade", True, 2.2, True),
    ("sharp as a cascade, all", "cascade", False, 1.9, True),
    ("the floor, baseline", "floor", True, 1.25, False),
    ("the floor, all", "floor", False, 1.25, False),
)
CHILD_OVERHEAD_MAX = 1.05


def median(runs: list[dict], key: str) -> float:
    """The median of one figure."""
    return statistics.median(run[key] for run in runs)


def attempt(measure, runs: list[dict]) -> str | None:
    """Adds runs; the reason when the program cannot."""
    try:
        runs.extend(measure())
    except Unsupported as reason:
        return str(reason)
    return None


def measured(source: Source, thumbline: Thumbline, sharp: Sharp, rounds: int, iterations: int) -> dict:
    """Medians for one file. Every round runs all programs, so that a noisy moment of the machine meets all of them."""
    runs: dict[str, list[dict]] = {"ours": [], "each": [], "cascade": [], "floor": []}
    reasons = {}
    jobs = {
        "ours": lambda: [thumbline.bench(source.path, iterations)],
        "each": lambda: sharp.measure(source.path, "each", iterations, warmups=1),
        "cascade": lambda: sharp.measure(source.path, "cascade", iterations, warmups=1),
    }
    if source.kind.endswith("JPEG"):
        jobs["floor"] = lambda: Floor().measure(source.path, iterations)
    for _ in range(rounds):
        for name, job in jobs.items():
            reason = None if name in reasons else attempt(job, runs[name])
            if reason:
                reasons[name] = reason
    keys = set().union(*(run.keys() for run in runs["ours"])) - {"file"}
    figures = {"source": source, "reasons": reasons, "ours": {key: median(runs["ours"], key) for key in keys}}
    for name in (*WAYS, "floor"):
        if runs[name]:
            figures[name] = {key: median(runs[name], key) for key in ("cpu_ms", "wall_ms")}
    return figures


def measured_all(sources: list[Source], thumbline: Thumbline, sharp: Sharp, rounds: int, iterations: int) -> list[dict]:
    """Every file in turn, with progress."""
    results = []
    for number, source in enumerate(sources, 1):
        figures = measured(source, thumbline, sharp, rounds, iterations)
        results.append(figures)
        told = [f"{way} {ratio(figures, way):.2f}" for way in (*WAYS, "floor") if ratio(figures, way)]
        told += [f"{name}: {reason}" for name, reason in figures["reasons"].items()]
        print(f"  {number}/{len(sources)} {source.path.name} ({source.megapixels:.1f} MP): {', '.join(told)}", flush=True)
    return results


def ratio(figures: dict, peer: str, key: str = "cpu_ms") -> float | None:
    """How many times our time the peer takes; for the floor, how many times its time we take."""
    if not figures["ours"] or peer not in figures:
        return None
    theirs, ours = figures[peer][key], figures["ours"][key]
    return ours / theirs if peer == "floor" else theirs / ours


def aggregate(results: list[dict], peer: str, key: str = "cpu_ms") -> tuple[float, float, int]:
    """The geometric mean of the ratios, the ratio of the sums, and over how many files."""
    both = [figures for figures in results if ratio(figures, peer, key)]
    theirs, ours = (sum(figures[name][key] for figures in both) for name in (peer, "ours"))
    total = (ours / theirs if peer == "floor" else theirs / ours) if both else float("nan")
    return report.geometric_mean([ratio(figures, peer, key) for figures in both]), total, len(both)


def targets(results: list[dict]) -> str:
    """The project's targets beside what was measured."""
    baseline = [figures for figures in results if figures["source"].kind == "baseline JPEG"]
    rows = []
    for name, peer, only_baseline, target, at_least in TARGETS:
        chosen = baseline if only_baseline else results
        mean, total, files = aggregate(chosen, peer)
        wall_mean, _, _ = aggregate(chosen, peer, "wall_ms")
        wanted = f"{'≥' if at_least else '≤'} {target:g}×"
        told = [f"{value:.2f}× {report.verdict(value, target, at_least)}" for value in (mean, total)]
        rows.append([name, str(files), wanted, *told, f"{wall_mean:.2f}×"])
    head = ["against", "files", "target", "CPU, geometric mean", "CPU, total time", "wall, geometric mean"]
    return report.table(head, rows)


def per_file(results: list[dict]) -> str:
    """One row a file."""
    rows = []
    for figures in results:
        source, ours = figures["source"], figures["ours"]
        cells = [source.path.name, source.kind.removesuffix(" JPEG"), f"{source.megapixels:.1f}"]
        if not ours:
            rows.append([*cells, "cannot", *[""] * 9])
            continue
        times = [f"{figures[peer]['cpu_ms']:.1f}" if peer in figures else "cannot" for peer in (*WAYS, "floor")]
        ratios = [f"{ratio(figures, peer):.2f}" if peer in figures else "" for peer in (*WAYS, "floor")]
        steps = " / ".join(f"{ours[step]:.1f}" for step in ("decode_ms", "resize_ms", "encode_ms"))
        own = [f"{ours['cpu_ms']:.1f}", f"{ours['inproc_cpu_ms']:.1f}"]
        rows.append([*cells, *own, *times, *ratios, steps, f"{ours['peak_rss_bytes'] / 2**20:.0f}"])
    head = ["file", "kind", "MP", "ours", "in process", "sharp each", "sharp cascade", "floor"]
    return report.table(head + ["× each", "× cascade", "of floor", "decode / resize / encode", "peak MiB"], rows)


def refusals(results: list[dict]) -> str:
    """What a program could not read, and its own reason."""
    names = {"ours": "thumbline", "each": "sharp", "floor": "libjpeg-turbo"}
    told = [
        f"- {figures['source'].path.name}, {name}: {figures['reasons'][key]}"
        for figures in results
        for key, name in names.items()
        if key in figures["reasons"]
    ]
    return "\n\nNot read:\n\n" + "\n".join(told) if told else ""


def formats(results: list[dict]) -> str:
    """One row a file that is not JPEG."""
    rows = []
    for figures in results:
        source, ours = figures["source"], figures["ours"]
        row = [source.kind, source.path.name, f"{source.megapixels:.1f}"]
        row.append(f"{ours['cpu_ms']:.1f}" if ours else "not in this build")
        row += [f"{figures[way]['cpu_ms']:.1f}" if way in figures else "cannot" for way in WAYS]
        row += [f"{ratio(figures, way):.2f}" if ratio(figures, way) else "" for way in WAYS]
        row.append(f"{ours['peak_rss_bytes'] / 2**20:.0f}" if ours else "")
        rows.append(row)
    head = ["format", "file", "MP", "ours", "sharp each", "sharp cascade"]
    return report.table([*head, "× each", "× cascade", "peak MiB"], rows)


def peak_of(command: list) -> float:
    """MiB at the peak of a program, by GNU time: a fork of this process would count this process's own memory."""
    done = subprocess.run(["/usr/bin/time", "-f", "peak=%M", *command], capture_output=True, text=True, check=False)
    found = re.search(r"peak=(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise Unsupported((done.stderr.strip() or "failed").splitlines()[0])
    return int(found.group(1)) / 1024


def peer_peak(command: list | None) -> str:
    """For the table."""
    if command is None or not Path("/usr/bin/time").exists():
        return "not installed"
    try:
        return f"{peak_of(command):.0f}"
    except Unsupported as reason:
        return f"cannot: {reason}"


def memory(photos: list[Source], thumbline: Thumbline, cache: Path) -> str:
    """Peaks for 50 megapixels: our child for the five sizes, libvips for 1024 alone."""
    python = "import pyvips, sys; pyvips.Image.thumbnail(sys.argv[1], 1024, size='down').jpegsave(sys.argv[2], Q=80)"
    rows = []
    for kind, file in fifty_megapixels(photos, cache).items():
        out = cache / "vips.jpg"
        vips = None
        if shutil.which("vipsthumbnail"):
            vips = ["vipsthumbnail", file, "--size", "1024x1024>", "-o", f"{out}[Q=80]"]
        try:
            ours = f"{thumbline.bench(file, 1)['peak_rss_bytes'] / 2**20:.0f}"
        except Unsupported as reason:
            ours = f"cannot: {reason}"
        theirs = [peer_peak(vips), peer_peak([sys.executable, "-c", python, file, out])]
        verdict = ""
        if ours.isdigit() and theirs[0].isdigit():
            verdict = report.verdict(float(ours), float(theirs[0]), at_least=False)
        rows.append([kind, f"{file.stat().st_size / 1e6:.1f}", ours, *theirs, verdict])
        print(f"  {' | '.join(rows[-1])}", flush=True)
    head = ["50 MP as", "MB", "our child, MiB", "vipsthumbnail, MiB", "pyvips in Python, MiB"]
    return report.table([*head, "≤ vipsthumbnail"], rows)


def overhead(photos: list[Source], thumbline: Thumbline, cache: Path, iterations: int) -> str:
    """What the child costs on a small photo."""
    figures = thumbline.bench(one_megapixel(photos, cache), iterations)
    value = figures["cpu_ms"] / figures["inproc_cpu_ms"]
    told = report.verdict(value, CHILD_OVERHEAD_MAX, at_least=False)
    return (
        f"Median of {iterations} interleaved renders of a baseline JPEG of {figures['width']}x{figures['height']}: "
        f"{figures['cpu_ms']:.2f} ms CPU of parent and child, {figures['inproc_cpu_ms']:.2f} ms in process: "
        f"{value:.3f} (target ≤ {CHILD_OVERHEAD_MAX}: {told}). "
        f"Wall: {figures['wall_ms']:.2f} and {figures['inproc_wall_ms']:.2f} ms."
    )


def versions(thumbline: Thumbline, sharp: Sharp) -> dict[str, str]:
    """Of everything that took part."""
    of_sharp = sharp.ask("versions")
    found = {
        "thumbline": thumbline.version().removeprefix("thumbline "),
        "sharp": f"{of_sharp['sharp']} (libvips {of_sharp['vips']}, its own mozjpeg; node {of_sharp['node']})",
        "simplejpeg": f"{simplejpeg.__version__} (libjpeg-turbo)",
        "pyvips": f"{pyvips.__version__} (libvips {'.'.join(str(pyvips.version(part)) for part in range(3))})",
    }
    if shutil.which("vipsthumbnail"):
        told = subprocess.run(["vipsthumbnail", "--vips-version"], capture_output=True, text=True, check=False)
        found["vipsthumbnail"] = told.stdout.strip() or told.stderr.strip()
    return found


def run(options, sources: list[Source], thumbline: Thumbline, sharp: Sharp) -> str:
    """Everything; the text of the report."""
    jpegs = [source for source in sources if source.kind.endswith("JPEG")]
    photos = [source for source in jpegs if source.kind == "baseline JPEG"] or jpegs
    others = made_formats(photos, options.cache) + [source for source in sources if source not in jpegs]
    print(f"JPEG: {len(jpegs)} files, {options.rounds} rounds of {options.iterations}")
    results = measured_all(jpegs, thumbline, sharp, options.rounds, options.iterations)
    print(f"other formats: {len(others)} files, {options.rounds} rounds of 1")
    of_others = measured_all(others, thumbline, sharp, options.rounds, 1)
    print("memory")
    peaks = memory(photos, thumbline, options.cache)
    print("child")
    child = overhead(photos, thumbline, options.cache, options.child_iterations)
    parts = [
        ("## Targets, JPEG", targets(results)),
        ("## Each JPEG, CPU milliseconds", per_file(results) + refusals(results)),
        ("## Other formats, CPU milliseconds", formats(of_others) + refusals(of_others)),
        ("## Peak memory", peaks),
        ("## The child", child),
    ]
    return "\n\n".join(f"{title}\n\n{text}" for title, text in parts)
