"""The programs that are compared: ours, sharp, and the floor. Each measures its own CPU time, with the source in memory."""

import json
import math
import subprocess
import time
from pathlib import Path

import numpy
import simplejpeg
from PIL import Image

SIDES = (1024, 320, 160, 94, 32)
SQUARES = (94, 32)
PRESETS = ("jpg_1024x1024", "jpg_320x320", "jpg_160x160", "jpg_thumb_94x94", "jpg_thumb_32x32")
QUALITY = 80
# Eighths that libjpeg-turbo has fast code for; from 5 on a scaled decode costs more than a full one.
EIGHTHS = (1, 2, 3, 4, 8)


class Unsupported(Exception):
    """The program cannot read this file; the text is its own reason."""


class Thumbline:
    """Our executable; `bench render` alternates the child and in process by itself."""

    def __init__(self, executable: Path):
        self.executable = executable

    def bench(self, file: Path, iterations: int) -> dict:
        """One line of `thumbline bench render --json`."""
        command = [self.executable, "bench", "render", file, "--iterations", str(iterations), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        line = done.stdout.strip().rpartition("\n")[2]
        if done.returncode != 0 or not line.startswith("{"):
            raise Unsupported((line or done.stderr.strip()).removeprefix(f"{file}: "))
        return json.loads(line)

    def write(self, file: Path, directory: Path) -> None:
        """The eager set as `DIRECTORY/<stem>.<preset>.jpg`."""
        command = [self.executable, "render", file, "--preset", ",".join(PRESETS), "--out", directory]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unsupported((done.stdout or done.stderr).strip())

    def version(self) -> str:
        """As it names itself."""
        return subprocess.run([self.executable, "--version"], capture_output=True, text=True, check=True).stdout.strip()


class Sharp:
    """sharp in one long-lived node process."""

    def __init__(self, modules: Path):
        script = Path(__file__).with_name("sharp.mjs")
        self.process = subprocess.Popen(
            ["node", script, modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, job: str, **arguments) -> dict:
        """The answer to one job."""
        try:
            self.process.stdin.write(json.dumps({"job": job, **arguments}) + "\n")
        except BrokenPipeError:
            raise SystemExit("the node process of sharp has died") from None
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the node process of sharp has died")
        answer = json.loads(answer)
        if "error" in answer:
            raise Unsupported(answer["error"].splitlines()[0])
        return answer

    def measure(self, file: Path, way: str, iterations: int, warmups: int) -> list[dict]:
        """CPU and wall milliseconds of each run."""
        return self.ask("measure", file=str(file), way=way, iterations=iterations, warmups=warmups)["runs"]

    def close(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.wait(timeout=30)


class Floor:
    """What nobody with libjpeg-turbo can avoid: one decode at the coarsest sufficient scale, and five encodes.

    The encodes use libjpeg's fixed Huffman tables, which is the cheapest way; shrinking in between is not counted.
    """

    def measure(self, file: Path, iterations: int) -> list[dict]:
        """CPU and wall milliseconds of each run."""
        source = file.read_bytes()
        height, width, space, _ = simplejpeg.decode_jpeg_header(source, strict=False)
        if space in ("CMYK", "YCCK"):
            raise Unsupported("ink: libjpeg-turbo does not convert it")
        space = "GRAY" if space == "Gray" else "RGB"
        least = sufficient(width, height)
        outputs = shrunk(simplejpeg.decode_jpeg(source, space, min_width=least[0], min_height=least[1], strict=False))
        runs = []
        for run in range(-1, iterations):
            cpu, wall = time.process_time(), time.perf_counter()
            simplejpeg.decode_jpeg(source, space, min_width=least[0], min_height=least[1], strict=False)
            for pixels in outputs:
                simplejpeg.encode_jpeg(pixels, QUALITY, space, "Gray" if space == "GRAY" else "420")
            if run >= 0:
                took = (time.process_time() - cpu, time.perf_counter() - wall)
                runs.append({"cpu_ms": took[0] * 1e3, "wall_ms": took[1] * 1e3})
        return runs


def sufficient(width: int, height: int) -> tuple[int, int]:
    """The smallest dimensions that libjpeg-turbo decodes to quickly and that hold the largest output."""
    scale = min(1.0, SIDES[0] / max(width, height))
    for eighths in EIGHTHS:
        scaled = (-(-width * eighths // 8), -(-height * eighths // 8))
        if scaled[0] >= round(width * scale) and scaled[1] >= round(height * scale):
            return scaled
    return width, height


def shrunk(pixels: numpy.ndarray) -> list[numpy.ndarray]:
    """The pixels of the eager set, for the encoder."""
    picture = Image.fromarray(pixels.squeeze())
    outputs = []
    for side in SIDES:
        scale = min(1.0, side / (min if side in SQUARES else max)(picture.size))
        size = tuple(max(1, math.floor(length * scale + 0.5)) for length in picture.size)
        small = picture.resize(size)
        if side in SQUARES:
            left, top = (max(0, (length - side) // 2) for length in size)
            small = small.crop((left, top, left + min(side, size[0]), top + min(side, size[1])))
        array = numpy.asarray(small)
        outputs.append(numpy.ascontiguousarray(array[..., None] if array.ndim == 2 else array))
    return outputs
