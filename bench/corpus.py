"""The files that are measured: found in the corpus, or made from its photos into the cache."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import pyvips
from PIL import Image

# Enlarged to this when the corpus has no photo of 45 megapixels or more.
FIFTY_MEGAPIXELS = (8688, 5792)
# Encoder options of the files that are made, by the name that the tables show.
MADE = {
    "PNG": (".png", {"compression": 6, "filter": "all"}),
    "WebP, lossy": (".webp", {"Q": 85}),
    "WebP, lossless": (".lossless.webp", {"lossless": True, "effort": 2}),
    "TIFF, LZW": (".lzw.tif", {"compression": "lzw", "predictor": "horizontal"}),
    "TIFF, deflate": (".deflate.tif", {"compression": "deflate", "predictor": "horizontal"}),
    "TIFF, plain": (".plain.tif", {"compression": "none"}),
    "AVIF": (".avif", {"Q": 60, "effort": 2, "compression": "av1"}),
}
NAMES = {"PNG": "PNG", "WEBP": "WebP", "TIFF": "TIFF", "AVIF": "AVIF", "HEIF": "HEIC"}

Image.MAX_IMAGE_PIXELS = None
# Damaged files of the corpus only have to be told apart here.
warnings.filterwarnings("ignore", module="PIL")


@dataclass(frozen=True)
class Source:
    """One file of the corpus."""

    path: Path
    kind: str
    width: int
    height: int

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.width * self.height / 1e6


def identified(path: Path) -> Source | None:
    """What the file is by its content; `None` when it is none of the kinds that are measured."""
    if path.suffix.lower() in (".heic", ".heif"):
        try:
            picture = pyvips.Image.new_from_file(str(path))
        except pyvips.Error:
            return None
        return Source(path, "HEIC", picture.width, picture.height)
    try:
        with Image.open(path) as picture:
            if picture.format == "JPEG":
                progressive = "progressive" in picture.info
                return Source(path, "progressive JPEG" if progressive else "baseline JPEG", *picture.size)
            kind = NAMES.get(picture.format)
            return Source(path, kind, *picture.size) if kind else None
    except (OSError, ValueError, SyntaxError):
        return None


def sources(directories: list[Path], least_megapixels: float) -> list[Source]:
    """Everything in these directories that is measured, the smallest first."""
    files = [file for directory in directories for file in sorted(directory.iterdir()) if file.is_file()]
    found = [source for source in map(identified, files) if source and source.megapixels >= least_megapixels]
    return sorted(found, key=lambda source: source.megapixels)


def made_formats(photos: list[Source], cache: Path) -> list[Source]:
    """Two baseline photos of 2 and about 5 megapixels (or what there is), once in every other format."""
    chosen = {min(photos, key=lambda photo: abs(photo.megapixels - wanted)) for wanted in (2.16, 5)}
    made = []
    for photo in sorted(chosen, key=lambda photo: photo.megapixels):
        for kind, (suffix, options) in MADE.items():
            path = cache / f"{photo.path.stem}{suffix}"
            if not path.exists():
                write(pyvips.Image.new_from_file(str(photo.path), access="sequential"), path, options)
            made.append(Source(path, kind, photo.width, photo.height))
    return made


def fifty_megapixels(photos: list[Source], cache: Path) -> dict[str, Path]:
    """One picture of 50 megapixels as baseline JPEG, PNG and TIFF."""
    largest = max(photos, key=lambda photo: photo.megapixels)
    jpeg = largest.path
    if largest.megapixels < 45:
        jpeg = cache / "50mp.jpg"
        if not jpeg.exists():
            across, down = FIFTY_MEGAPIXELS[0] / largest.width, FIFTY_MEGAPIXELS[1] / largest.height
            write(pyvips.Image.new_from_file(str(largest.path)).resize(across, vscale=down), jpeg, {"Q": 85})
    files = {"JPEG": jpeg}
    options = {
        "PNG": ("50mp.png", {"compression": 3}),
        "TIFF, LZW strips": ("50mp.lzw.tif", {"compression": "lzw", "predictor": "horizontal"}),
        "TIFF, plain strips": ("50mp.plain.tif", {"compression": "none"}),
        "TIFF, deflate tiles": ("50mp.tiles.tif", {"compression": "deflate", "predictor": "horizontal", "tile": True}),
    }
    for kind, (name, encoder) in options.items():
        files[kind] = cache / name
        if not files[kind].exists():
            write(pyvips.Image.new_from_file(str(jpeg), access="sequential"), files[kind], encoder)
    return files


def one_megapixel(photos: list[Source], cache: Path) -> Path:
    """A baseline JPEG of 1152x864 from the middle of a photo."""
    path = cache / "1mp.jpg"
    if not path.exists():
        photo = min(photos, key=lambda photo: abs(photo.megapixels - 5))
        picture = pyvips.Image.thumbnail(str(photo.path), 1152, height=864, crop="centre", size="both")
        write(picture, path, {"Q": 90})
    return path


def write(picture: pyvips.Image, path: Path, options: dict) -> None:
    """Written beside and renamed, so that an interrupted run leaves no half file."""
    print(f"  making {path.name}", flush=True)
    partial = path.with_name(f"partial-{path.name}")
    picture.write_to_file(str(partial), **options)
    partial.rename(path)
