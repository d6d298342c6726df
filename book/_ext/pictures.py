"""Write the pictures of a site with a palette: a third of the bytes, and no difference to see.

A figure of matplotlib's has some thousand colours, most of them at the edges of letters and lines.
With 256 of its own a pixel changes by a hundredth of a step of 255 in the mean. A picture that
would change by more stays as it is.
"""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from sphinx.util import logging

logger = logging.getLogger(__name__)

CHANGE = 0.2  # of 255 steps, the mean over all pixels


def lighter(source, target):
    """Write the PNG `source` to `target` with a palette, if that is lighter and looks the same."""
    shutil.copyfile(source, target)
    try:
        with Image.open(source) as file:
            picture = file.convert("RGBA")
    except (OSError, SyntaxError):  # Pillow's words for what is no PNG: a browser may differ
        return
    pixels = np.asarray(picture).astype(int)
    if (pixels[..., 3] < 255).any():  # a palette of Pillow's has no half-transparent colours
        return
    few = picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, kmeans=1,
                                          dither=Image.Dither.NONE)
    if abs(np.asarray(few.convert("RGB")).astype(int) - pixels[..., :3]).mean() > CHANGE:
        return
    trial = target.with_suffix(".new")
    few.save(trial, "PNG", optimize=True)
    if trial.stat().st_size < target.stat().st_size:
        trial.replace(target)
    trial.unlink(missing_ok=True)


def lighten(app, exception):
    """Exchange the pictures of a finished site; what was made before is kept beside the site."""
    if exception or app.builder.format != "html":
        return
    kept = Path(app.outdir).parent / "pictures"
    kept.mkdir(exist_ok=True)
    before = after = 0
    for picture in sorted(Path(app.outdir, app.builder.imagedir).glob("*.png")):
        light = kept / f"{picture.stem}-{picture.stat().st_size}.png"  # a name is a digest
        before += picture.stat().st_size
        if not light.exists():
            lighter(picture, light)
        shutil.copyfile(light, picture)
        after += picture.stat().st_size
    logger.info("pictures: %.1f MB of %.1f MB", after / 1e6, before / 1e6)


def setup(app):
    """Register the step; called by Sphinx."""
    app.connect("build-finished", lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
