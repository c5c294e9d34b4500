"""How close our outputs and sharp's are to a reference that is made a third way, by Pillow from the full-size picture."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

import report
from corpus import Source
from metrics import ciede2000, lab, ssim
from peers import PRESETS, SIDES, SQUARES, Sharp, Thumbline, Unsupported

SSIM_TOLERANCE = 0.002
DELTA_E_TOLERANCE = 0.2
# Beyond this height, squares show the top of a picture (times its width); sharp's centre is another picture.
TALL = 3
# The window of SSIM has to fit.
SIDE_MIN = 11
SRGB = ImageCms.createProfile("sRGB")


def upright_srgb(path: Path) -> Image.Image:
    """The whole picture in sRGB, all decoded, orientation applied."""
    with Image.open(path) as opened:
        profile = opened.info.get("icc_profile")
        picture = ImageOps.exif_transpose(opened)
    if profile is None:
        if picture.mode == "CMYK":
            raise Unsupported("ink without a profile has no true colours")
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, SRGB, ImageCms.Intent.PERCEPTUAL, outputMode="RGB")
    except ImageCms.PyCMSError:
        return picture.convert("RGB")


def crops(size: tuple[int, int], side: int) -> list[tuple[float, float, float, float]]:
    """The squares that a program may mean by the centre: the exact one, and up to two output pixels beside it.

    sharp cuts at whole pixels of a picture whose sides were rounded, which is legitimate; it must not be held against it.
    """
    shorter = min(size)
    axis = 0 if size[0] > size[1] else 1
    slack = (max(size) - shorter) / 2
    boxes = []
    for quarters in range(-8, 9):
        offset = [(length - shorter) / 2 for length in size]
        offset[axis] += max(-slack, min(slack, quarters / 4 * shorter / side))
        boxes.append((*offset, offset[0] + shorter, offset[1] + shorter))
    return sorted(set(boxes))


def references(picture: Image.Image, side: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Shrunk by Lanczos from the full-size picture to the size of the output."""
    if side not in SQUARES:
        return [np.asarray(picture.resize(size, Image.Resampling.LANCZOS))]
    # A box filter before, where it leaves eight times the pixels: it cannot be seen and spares minutes.
    boxes = crops(picture.size, side)
    return [np.asarray(picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=8.0)) for box in boxes]


def score(output: np.ndarray, candidates: list[np.ndarray]) -> tuple[float, float, np.ndarray]:
    """SSIM and mean CIEDE2000 against the crop that this program chose."""
    best = max(candidates, key=lambda reference: ssim(output, reference))
    return ssim(output, best), float(ciede2000(lab(output), lab(best)).mean()), best


def compared(source: Source, picture: Image.Image, cache: Path) -> list[dict]:
    """The scores of both programs for each size at which something is shrunk."""
    rows = []
    for preset, side in zip(PRESETS, SIDES):
        shrinks = (min if side in SQUARES else max)(picture.size) > side
        if not shrinks or min(picture.size) * side < SIDE_MIN * max(picture.size):
            continue
        if side in SQUARES and picture.height > TALL * picture.width:
            continue
        row = {"file": source.path.name, "side": side}
        for program in ("ours", "sharp"):
            path = cache / program / f"{source.path.stem}.{preset}.jpg"
            output = np.asarray(Image.open(path).convert("RGB"))
            candidates = references(picture, side, (output.shape[1], output.shape[0]))
            found = score(output, candidates)
            row[program] = {"ssim": found[0], "delta_e": found[1], "bytes": path.stat().st_size}
            row[program] |= {"output": output, "reference": found[2]}
        rows.append(row)
    return rows


def behind(row: dict) -> bool:
    """Whether sharp is nearer to the reference, beyond the tolerance."""
    ours, theirs = row["ours"], row["sharp"]
    return ours["ssim"] < theirs["ssim"] - SSIM_TOLERANCE or ours["delta_e"] > theirs["delta_e"] + DELTA_E_TOLERANCE


def write_pair(row: dict, directory: Path) -> None:
    """Reference, ours and sharp's beside one another; small ones enlarged."""
    pictures = [row["ours"]["reference"], row["ours"]["output"], row["sharp"]["output"]]
    times = max(1, 320 // row["side"])
    enlarged = [Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1)) for pixels in pictures]
    sheet = Image.new("RGB", (sum(p.width for p in enlarged) + 16, max(p.height for p in enlarged)), "white")
    left = 0
    for picture in enlarged:
        sheet.paste(picture, (left, 0))
        left += picture.width + 8
    sheet.save(directory / f"{Path(row['file']).stem}.{row['side']}.png")


def per_size(rows: list[dict]) -> str:
    """Mean and worst decile of both programs, for each size."""
    lines = []
    for side in SIDES:
        chosen = [row for row in rows if row["side"] == side]
        for key, worst, tolerance, sign in (("ssim", 10, SSIM_TOLERANCE, 1), ("delta_e", 90, DELTA_E_TOLERANCE, -1)):
            ours, theirs = (np.array([row[program][key] for row in chosen]) for program in ("ours", "sharp"))
            figures = [ours.mean(), theirs.mean(), np.percentile(ours, worst), np.percentile(theirs, worst)]
            fine = all(sign * (mine - other) >= -tolerance for mine, other in (figures[:2], figures[2:]))
            size = sum(row["ours"]["bytes"] for row in chosen) / sum(row["sharp"]["bytes"] for row in chosen)
            name = "SSIM" if key == "ssim" else "ΔE 2000"
            last = [f"{size:.2f}" if key == "ssim" else "", "met" if fine else "**not met**"]
            lines.append([f"{side}, {name}", *(f"{figure:.4f}" for figure in figures), *last])
    head = ["size", "mean, ours", "mean, sharp", "worst decile, ours", "worst decile, sharp"]
    return report.table([*head, "bytes, ours of sharp's", "not below sharp"], lines)


def files_behind(rows: list[dict]) -> str:
    """Where sharp is nearer."""
    chosen = [row for row in rows if behind(row)]
    if not chosen:
        return "No file is behind beyond the tolerance at any size."
    lines = []
    for row in chosen:
        figures = [f"{row[program][key]:.4f}" for key in ("ssim", "delta_e") for program in ("ours", "sharp")]
        lines.append([row["file"], str(row["side"]), *figures])
    return report.table(["file", "size", "SSIM, ours", "SSIM, sharp", "ΔE, ours", "ΔE, sharp"], lines)


def run(options, sources: list[Source], thumbline: Thumbline, sharp: Sharp) -> str:
    """Everything; the text of the report."""
    pairs = options.cache / "pairs"
    for directory in (pairs, options.cache / "ours", options.cache / "sharp"):
        directory.mkdir(exist_ok=True)
    for old in pairs.iterdir():
        old.unlink()
    rows, left_out = [], []
    for number, source in enumerate(sources, 1):
        try:
            picture = upright_srgb(source.path)
            thumbline.write(source.path, options.cache / "ours")
            sharp.ask("write", file=str(source.path), stem=str(options.cache / "sharp" / source.path.stem))
        except (Unsupported, OSError) as reason:
            left_out.append(f"{source.path.name}: {reason}")
            continue
        found = compared(source, picture, options.cache)
        for row in found:
            if behind(row):
                write_pair(row, pairs)
            for program in ("ours", "sharp"):
                row[program] = {key: row[program][key] for key in ("ssim", "delta_e", "bytes")}
        rows += found
        told = ", ".join(f"{row['side']}: {row['ours']['ssim'] - row['sharp']['ssim']:+.4f}" for row in found)
        print(f"  {number}/{len(sources)} {source.path.name} SSIM, ours less sharp's: {told}", flush=True)
    print(f"pictures of what is behind (reference, ours, sharp's): {pairs}")
    text = f"## Fidelity\n\n{per_size(rows)}\n\n## Behind sharp beyond 0.002 SSIM or 0.2 ΔE\n\n{files_behind(rows)}"
    return text + ("\n\nLeft out: " + "; ".join(left_out) + "." if left_out else "")
