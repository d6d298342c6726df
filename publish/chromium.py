"""Find an installed Chromium."""

import os
import shutil

HOW_TO_GET_IT = "needs Chromium: apt-get install chromium, or set CHROMIUM to its path"


def find_chromium(environment=os.environ, which=shutil.which):
    """The path of an installed Chromium, or None; CHROMIUM names one that is elsewhere."""
    names = [environment.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if name and (path := which(name))), None)
