"""`make bench` and `make bench-fidelity`: Thumbline beside sharp and the floor, over the same files, on one core."""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEAST_FOR_FIDELITY = 0.03
SAMPLES = ROOT / "src/demo/samples"
DEFAULT_CORPUS = (ROOT / "../shared/corpus/photos", ROOT / "../shared/corpus/graphics")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument("part", choices=["speed", "fidelity"], help="what is measured")
    parser.add_argument("--thumbline", type=Path, default=ROOT / "target/release/thumbline", help="the executable")
    parser.add_argument(
        "--corpus", type=Path, nargs="*", metavar="DIR",
        help="files to measure (default: the corpus beside the checkout, else the demo's samples)",
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "target/bench", help="peers and generated files")
    parser.add_argument("--least", type=float, default=0.3, metavar="MP", help="smaller files do not count for speed (0.3)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every program over each file (3)")
    parser.add_argument("--iterations", type=int, default=5, help="measured renders per turn of a JPEG (5)")
    parser.add_argument("--child-iterations", type=int, default=300, help="renders for the cost of the child (300)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="everything is pinned to it")
    parser.add_argument("--document", type=Path, default=ROOT / "docs/BENCHMARKS.md", help="the report")
    return parser.parse_args()


def corpus_directories(options: argparse.Namespace) -> list[Path]:
    """What was asked for, else what there is."""
    if options.corpus:
        return options.corpus
    return [directory for directory in DEFAULT_CORPUS if directory.is_dir()] or [SAMPLES]


def main() -> None:
    """Measures and writes one part of the report."""
    options = arguments()
    if not options.thumbline.is_file():
        sys.exit(f"{options.thumbline} is not there: run `make build`, or name an executable with THUMBLINE=")
    options.thumbline, options.cache = options.thumbline.resolve(), options.cache.resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    # Inherited by every program: what `taskset --cpu-list CORE` does.
    os.sched_setaffinity(0, {options.core})
    os.environ["VIPS_CONCURRENCY"] = "1"

    import fidelity
    import report
    import speed
    from corpus import sources
    from peers import Sharp, Thumbline

    directories = corpus_directories(options)
    least = 0.0 if directories == [SAMPLES] else options.least
    if options.part == "fidelity":
        least = min(least, LEAST_FOR_FIDELITY)
    found = sources(directories, least)
    jpegs = [source for source in found if source.kind.endswith("JPEG")]
    if not jpegs:
        sys.exit(f"no JPEG of {least} megapixels or more in {', '.join(map(str, directories))}")
    thumbline, sharp = Thumbline(options.thumbline), Sharp(options.cache)
    try:
        if options.part == "speed":
            text = speed.run(options, found, thumbline, sharp)
        else:
            text = fidelity.run(options, jpegs, thumbline, sharp)
        head = report.heading(speed.versions(thumbline, sharp), os.getloadavg())
    finally:
        sharp.close()
    command = "`make bench-fidelity`"
    if options.part == "speed":
        command = f'`make bench ARGS="--rounds {options.rounds} --iterations {options.iterations} --least {least:g}"`'
    corpus = "the demo's samples" if directories == [SAMPLES] else " and ".join(directory.name for directory in directories)
    head = f"{command}, {head}\n{len(jpegs)} JPEG files of {corpus}; everything pinned to core {options.core}."
    print(f"\n{text}\n")
    report.put(options.document, options.part, f"{head}\n\n{text}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
