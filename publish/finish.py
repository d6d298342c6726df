"""Mend what Chromium writes into a PDF wrongly: bookmarks, and the letters that a search finds."""

import io
import re
import unicodedata

from publish import PublishError

# Two radicals that Unicode does not fold into the letters that look like them.
RADICALS = {"\u2ed1": "\u9577", "\u2ed3": "\u957f"}
ONE_LETTER = re.compile(rb"(?m)^((?:<[0-9A-F]+> ){1,2})<(2[EF][0-9A-F]{2})>$")


def finish(data, titles, path):
    """Write the PDF `data` to `path`, its bookmarks set to `titles`; returns the number of pages.

    Chromium drops the space between two lines of a heading, and where a Chinese letter looks
    like a radical, such as U+2F00 for U+4E00, it writes the radical, which no reader types.
    Raises PublishError if there is not one bookmark for each title.
    """
    from pypdf import PdfWriter
    from pypdf.generic import NameObject, TextStringObject

    writer = PdfWriter(io.BytesIO(data), incremental=True)  # adds to what Chromium wrote
    bookmarks = list(_bookmarks(writer.root_object["/Outlines"]))
    if len(bookmarks) != len(titles):
        raise PublishError(f"Chromium made {len(bookmarks)} bookmarks of {len(titles)} headings: "
                           "look for a heading that is empty or hidden")
    for bookmark, title in zip(bookmarks, titles, strict=True):
        bookmark[NameObject("/Title")] = TextStringObject(title)
    for page in writer.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            letters = font.get_object().get("/ToUnicode")
            if letters is not None and ONE_LETTER.search(letters.get_data()):
                letters.set_data(without_radicals(letters.get_data()))
    writer.add_metadata({"/Creator": "python -m publish"})
    with open(path, "wb") as file:
        writer.write(file)
    return len(writer.pages)


def without_radicals(letters):
    """A table from glyphs to letters, as bytes, with letters in place of radicals."""
    def letter(match):
        radical = chr(int(match[2], 16))
        folded = RADICALS.get(radical) or unicodedata.normalize("NFKC", radical)
        return match[1] + b"<" + b"".join(b"%04X" % ord(char) for char in folded) + b">"

    return ONE_LETTER.sub(letter, letters)


def _bookmarks(parent):
    """Every bookmark below one, or below the root of all, in order."""
    child = parent.get("/First")
    while child is not None:
        child = child.get_object()
        yield child
        yield from _bookmarks(child)
        child = child.get("/Next")
