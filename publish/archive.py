"""Pack the built site into a zip that opens from a folder, the same bytes for the same site."""

import zipfile
from pathlib import Path

from publish.merge import mathjax
from publish.pages import read_site

# Servers need these; the links of 404.html begin at the root of a host.
FOR_SERVERS = {"404.html", "robots.txt", "sitemap.xml", ".nojekyll"}
FOLDER = "convnets-by-hand"
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold


def write_zip(site, toc, path):
    """Write the site in the folder `site` to the zip `path`; returns the number of files.

    Maps of scripts and MathJax's bundles that no page loads stay out: more than half of the site.
    Raises PublishError without a built site.
    """
    site = Path(site)
    bundle = mathjax(read_site(site, toc))
    files = {file.relative_to(site).as_posix(): file for file in site.rglob("*") if file.is_file()}
    wanted = sorted(name for name in files
                    if name not in FOR_SERVERS and not name.endswith(".map")
                    and (not _is_bundle(name) or name == bundle))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in wanted:
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", DATE)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes(), compresslevel=9)
    return len(wanted)


def _is_bundle(name):
    """Whether a file is one of MathJax's, of which a page loads one; its parts lie in folders."""
    folder, _, file = name.rpartition("/")
    return folder == "_static/mathjax" and file.endswith(".js")
