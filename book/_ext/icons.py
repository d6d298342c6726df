"""Keep of the theme's icons those that pages show: 1.5 MB of script become a twentieth.

The theme's script turns `<i class="fas fa-rocket">` into a drawing, from a list of all icons that
there are.
The letters that hold the same icons are then not needed; see icons.css.
"""

import re
from pathlib import Path

from sphinx.util import logging

logger = logging.getLogger(__name__)

SCRIPT = Path("_static", "scripts", "fontawesome.js")
SHOWN = re.compile(r'class="[^"]*\bfa-([a-z0-9-]+)[^"]*"')
NAMES = re.compile(r"\bfa-([a-z0-9-]+)")
# name: [width, height, [other names], "code", "path" or ["path", "path"]]
ICON = re.compile(r'(?:"([\w-]+)"|([\w$]+)):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",'
                  r'(?:"[^"]*"|\[[^\]]*\])\],?')


def shown(folder):
    """The names in the classes of all pages of a site that may be icons."""
    names = set()
    for path in folder.rglob("*.html"):
        for match in SHOWN.finditer(path.read_text(encoding="utf-8")):
            names |= set(NAMES.findall(match[0]))
    return names


def keep(script, names):
    """The script without the icons that have none of the names, and what it holds of them."""
    kept = set()

    def decide(match):
        own = {match[1] or match[2], *re.findall(r'"([\w-]+)"', match[3])}
        kept.update(own & names)
        return match[0] if own & names else ""

    return ICON.sub(decide, script), kept


def keep_icons(app, exception):
    """Rewrite the theme's script, once the pages are written."""
    path = Path(app.outdir) / SCRIPT
    if exception is not None or app.builder.format != "html" or not path.is_file():
        return
    script, kept = keep(path.read_text(encoding="utf-8"), shown(Path(app.outdir)))
    if not kept:
        logger.warning("no icon of the pages was found in %s: the theme has changed it; "
                       "leave the extension icons out of _config.yml", SCRIPT, type="icons")
        return
    path.write_text(script, encoding="utf-8")


def setup(app):
    """Register the change; called by Sphinx."""
    app.add_css_file("icons.css")
    app.connect("build-finished", keep_icons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
