"""The book to keep: one PDF, and a zip of the site, both made from the built site.

`python -m publish` writes them to _build/; what can go wrong says so in one line.
"""


class PublishError(Exception):
    """What keeps the book from being written: what, where, and the way out, in one line."""
