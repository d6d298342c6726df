"""The command: `python -m publish` writes the PDF and the zip of the built site to _build/."""

import argparse
import sys
from pathlib import Path

from publish import PublishError
from publish.archive import write_zip
from publish.pdf import write_pdf

ROOT = Path(__file__).parents[1]
NAME = "convnets-by-hand"


def main(arguments=None):
    """Write what is asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m publish", description=__doc__)
    parser.add_argument("what", nargs="*", choices=["pdf", "zip", []],
                        help="what to write; both, if nothing is named")
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html",
                        help="the built site (default: %(default)s)")
    parser.add_argument("--to", type=Path, default=ROOT / "_build", metavar="FOLDER",
                        help="where to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    wanted = options.what or ["pdf", "zip"]
    try:
        if "pdf" in wanted:
            path = options.to / f"{NAME}.pdf"
            count = write_pdf(options.site, ROOT / "_toc.yml", path)
            print(f"{path}: {count} pages, {path.stat().st_size / 1e6:.1f} MB")
        if "zip" in wanted:
            path = options.to / f"{NAME}.zip"
            count = write_zip(options.site, ROOT / "_toc.yml", path)
            print(f"{path}: {count} files, {path.stat().st_size / 1e6:.1f} MB")
    except (PublishError, OSError) as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
