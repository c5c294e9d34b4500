"""`make bench-api`: state reads and small contents beside handlers that do the least that any handler could.

The server has one core, wrk the other; the programs take turns, and each ratio is of two turns that followed one
another. Needs wrk; nginx is measured where it is installed.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import report

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = next((ROOT / "src/demo/samples").glob("*.jpg"))
HINTS = "[jpg?dimensions=32x32][jpg?dimensions=320x320][jpg?dimensions=1024x1024][png?dimensions=1024x1024]"
TARGET = 0.5
READY_SECONDS = 60
LUA = """
local paths = {}
for path in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = path end
local hints, i = os.getenv("BENCH_HINTS"), 0
if hints then wrk.headers["X-Rep-Hints"] = hints end
request = function()
  i = i % #paths + 1
  return wrk.format(nil, paths[i])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="api.py", description=__doc__)
    parser.add_argument("--thumbline", type=Path, required=True, help="an executable built with --features bench")
    parser.add_argument("--files", type=int, default=200, help="files that are asked for in turn (200)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every handler (5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a turn (4)")
    parser.add_argument("--connections", type=int, default=64, help="of wrk (64)")
    parser.add_argument("--document", type=Path, default=ROOT / "docs/BENCHMARKS.md", help="the report")
    return parser.parse_args()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url: str) -> dict:
    """A JSON answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def upload(base: str, number: int) -> str:
    """The sample as a file of its own; the bytes behind the picture make it another one."""
    attributes = json.dumps({"name": f"{number}.jpg", "parent": {"id": "0"}}).encode()
    picture = SAMPLE.read_bytes() + number.to_bytes(4, "big")
    body = (b'--XX\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n' + attributes
            + b'\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + picture + b"\r\n--XX--\r\n")
    request = urllib.request.Request(
        f"{base}/2.0/files/content", data=body, headers={"Content-Type": "multipart/form-data; boundary=XX"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["entries"][0]["id"]


@contextlib.contextmanager
def server(thumbline: Path, database: str, directory: Path):
    """An all-in-one on this database, on the first core."""
    port = free_port()
    settings = {
        "DATABASE__URL": database, "BLOBS__URL": f"file:{directory}/blobs", "API__LISTEN": f"127.0.0.1:{port}",
        "AUTH__MODE": "open", "API__REQUESTS_PER_MINUTE": "0", "WORKER__CONCURRENCY": "1", "LOG__FILTER": "warn",
    }
    environment = os.environ | {f"THUMBLINE__{key}": value for key, value in settings.items()}
    log = (directory / "log").open("w")
    first = min(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [thumbline, "all"], cwd=directory, env=environment, stdout=log, stderr=log,
        preexec_fn=lambda: os.sched_setaffinity(0, {first}))
    try:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{base}/readyz", timeout=2).close()
                break
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"thumbline did not get ready:\n{(directory / 'log').read_text()}")
            time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


@contextlib.contextmanager
def nginx(files: dict[str, bytes], directory: Path):
    """The same bytes from disk, on the first core; `None` where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    port, root = free_port(), directory / "static"
    root.mkdir()
    root.chmod(0o755)
    for name, content in files.items():
        (root / name).write_bytes(content)
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log; "
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; keepalive_requests 100000000; client_body_temp_path {directory}/b; "
        f"proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; "
        f"scgi_temp_path {directory}/s; default_type image/jpeg; "
        f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n")
    directory.chmod(0o755)
    first = min(os.sched_getaffinity(0))
    process = subprocess.Popen([program, "-c", configuration], stderr=subprocess.DEVNULL,
                               preexec_fn=lambda: os.sched_setaffinity(0, {first}))
    try:
        base, until = f"http://127.0.0.1:{port}", time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{base}/{next(iter(files))}", timeout=2).close()
                break
            time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=30)


def turn(options: argparse.Namespace, base: str, paths: list[str], directory: Path, hints: bool) -> tuple[float, float]:
    """Requests a second and the 99th percentile in milliseconds."""
    listed, script = directory / "paths", directory / "bench.lua"
    listed.write_text("\n".join(paths) + "\n")
    script.write_text(LUA)
    environment = os.environ | {"BENCH_PATHS": str(listed)} | ({"BENCH_HINTS": HINTS} if hints else {})
    last = max(os.sched_getaffinity(0))
    command = ["wrk", "--threads", "1", "--connections", str(options.connections), "--duration", f"{options.seconds}s",
               "--script", str(script), base]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, {last}))
    requests, microseconds, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", run.stdout).groups())
    if errors:
        sys.exit(f"{errors} of {requests} requests to {paths[0]} failed")
    return requests / microseconds * 1e6, p99 / 1000


def prepare(base: str, count: int) -> tuple[list[str], list[str], bytes]:
    """Files that are rendered: their ids, the paths of their 32x32, and one of those thumbnails."""
    ids = [upload(base, number) for number in range(count)]
    contents = []
    for file in ids:
        until = time.monotonic() + READY_SECONDS
        while True:
            shown = get(f"{base}/v1/files/{file}")
            small = next((r for r in shown["representations"] if r["name"] == "jpg_thumb_32x32"), None)
            if small and small["state"] == "success":
                break
            if time.monotonic() > until:
                sys.exit(f"file {file} has no thumbnail after {READY_SECONDS} s: {shown}")
            time.sleep(0.05)
        contents.append(small["url"].removeprefix(base))
    with urllib.request.urlopen(base + contents[0], timeout=10) as answer:
        return ids, contents, answer.read()


def measure(options: argparse.Namespace, base: str, directory: Path) -> dict[str, list[tuple[float, float]]]:
    """Every handler in turn, round by round."""
    ids, contents, thumbnail = prepare(base, options.files)
    fields = "?fields=representations,name,size"
    handlers = {
        "state": (base, [f"/2.0/files/{file}{fields}" for file in ids], True),
        "one row": (base, [f"/bench/row/{file}" for file in ids], True),
        "32x32": (base, contents, False),
        "bytes": (base, [f"/bench/bytes/{len(thumbnail)}"], False),
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in handlers}
    with nginx({f"{number}.jpg": thumbnail for number in range(options.files)}, directory) as static:
        if static:
            handlers["nginx"] = (static, [f"/{number}.jpg" for number in range(options.files)], False)
            results["nginx"] = []
        for number in range(options.rounds + 1):
            for name, (where, paths, hints) in handlers.items():
                result = turn(options, where, paths, directory, hints)
                if number:  # the first round warms up
                    results[name].append(result)
                    print(f"  round {number}: {name:8} {result[0]:9.0f}/s  p99 {result[1]:6.2f} ms", flush=True)
    return results


def rows(database: str, results: dict[str, list[tuple[float, float]]]) -> list[list[str]]:
    """Ours beside its peer."""
    lines = []
    for what, ours, peer in (("state of a file", "state", "one row"), ("32x32 content", "32x32", "bytes")):
        ratio = statistics.median(a[0] / b[0] for a, b in zip(results[ours], results[peer], strict=True))
        figures = [statistics.median(turn[column] for turn in results[name]) for name in (ours, peer) for column in (0, 1)]
        lines.append([f"{what}, {database}", f"{figures[0]:.0f}", f"{figures[1]:.1f}", f"{figures[2]:.0f}",
                      f"{figures[3]:.1f}", f"{ratio:.2f}", report.verdict(ratio, TARGET, True)])
    if "nginx" in results:
        speed, late = (statistics.median(turn[column] for turn in results["nginx"]) for column in (0, 1))
        lines.append([f"nginx from disk, beside {database}", f"{speed:.0f}", f"{late:.1f}", "", "", "", ""])
    return lines


def main() -> None:
    """Measures on both databases and writes the report."""
    options = arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: `apt-get install wrk` (and nginx-light, to see nginx beside us)")
    options.thumbline = options.thumbline.resolve()
    databases = {"SQLite": "sqlite:bench.db"}
    if url := os.environ.get("THUMBLINE_TEST_DATABASE_URL"):
        databases["PostgreSQL"] = url
    else:
        print("PostgreSQL is left out: THUMBLINE_TEST_DATABASE_URL is not set (`make bench-api` starts one)")
    lines = []
    for name, url in databases.items():
        print(f"{name}:")
        with tempfile.TemporaryDirectory(prefix="thumbline-bench-") as directory:
            with server(options.thumbline, url, Path(directory)) as base:
                lines += rows(name, measure(options, base, Path(directory)))
    head = ["", "ours, requests/s", "p99, ms", "peer, requests/s", "p99, ms", "ours / peer", f"target ≥ {TARGET}"]
    version = subprocess.run([options.thumbline, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    text = f"`make bench-api`, {report.heading({'thumbline': version}, os.getloadavg())}\n" \
           f"{options.files} files in turn over {options.connections} connections; {options.rounds} rounds of {options.seconds} s; " \
           f"the server on one core, wrk on the other.\n\n{report.table(head, lines)}"
    print(f"\n{text}\n")
    report.put(options.document, "api", text)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
