"""Pictures of the site look as in their notebook, and weigh a third."""

import base64
import io
import json
from hashlib import sha256

import numpy as np
import pytest
from pictures import lighter
from PIL import Image
from site_helpers import ROOT, content_pages

NOTEBOOKS = [path for page in content_pages() if (path := ROOT / f"{page}.ipynb").exists()]


def pixels(data):
    """The colours of a picture as numbers."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def drawn(path):
    """The PNGs in the outputs of a notebook."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                yield base64.b64decode("".join(output["data"]["image/png"]))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_difference_to_see(site, path):
    """Each picture of a chapter is on the site, in at most half the bytes."""
    for data in drawn(path):
        name = f"{sha256(data).hexdigest()}.png"
        shown = (site / "_images" / name).read_bytes()
        change = abs(pixels(shown) - pixels(data))
        assert change.mean() < 0.2 and (change > 64).sum() == 0, name
        assert len(shown) < 0.7 * len(data), name


def test_what_would_change_stays(tmp_path):
    """A picture of noise, one that can be seen through, and one that is none."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    Image.new("RGBA", (64, 64), (0, 114, 178, 99)).save(tmp_path / "glass.png")
    (tmp_path / "none.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("noise.png", "glass.png", "none.png"):
        lighter(tmp_path / name, tmp_path / f"light-{name}")
        assert (tmp_path / f"light-{name}").read_bytes() == (tmp_path / name).read_bytes()
    assert len(list(tmp_path.iterdir())) == 6
