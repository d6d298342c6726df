"""Read a PDF as the tests need it: its bookmarks, its pictures and its structure."""

import re


def flat(text):
    """A text without white space, which lines and extraction change."""
    return "".join(text.split())


def bookmarks(pdf, entries=None, depth=1):
    """Every bookmark of a PDF, as (depth, title, index of the page)."""
    for entry in pdf.outline if entries is None else entries:
        if isinstance(entry, list):
            yield from bookmarks(pdf, entry, depth + 1)
        else:
            yield depth, entry.title, pdf.get_destination_page_number(entry)


def drawn(pdf):
    """The pictures that each page draws: a list of (index of the page, width, height)."""
    found = []

    def draw(resources, content, number):
        forms = {}
        for name, entry in resources.get("/XObject", {}).items():
            forms[name.removeprefix("/")] = entry.get_object()
        for name in re.findall(rb"/(\w+) Do\b", content):
            form = forms[name.decode()]
            if form["/Subtype"] == "/Image":
                found.append((number, form["/Width"], form["/Height"]))
            else:
                draw(form.get("/Resources", {}), form.get_data(), number)

    for number, page in enumerate(pdf.pages):
        draw(page["/Resources"], page.get_contents().get_data(), number)
    return found


def tagged(pdf, kind):
    """The structure elements of one kind, such as /Figure."""
    stack, found = [pdf.trailer["/Root"]["/StructTreeRoot"]], []
    while stack:
        node = stack.pop().get_object()
        if isinstance(node, list):
            stack += reversed(node)
        elif isinstance(node, dict):
            if node.get("/S") == kind:
                found.append(node)
            if "/K" in node:
                stack.append(node["/K"])
    return found


def pages_of(pdf, element):
    """The indices of the pages on which the contents of a structure element stand."""
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(pdf.pages)}
    stack, found = [(element, element.raw_get("/Pg") if "/Pg" in element else None)], set()
    while stack:
        node, page = stack.pop()
        node = node.get_object()
        if isinstance(node, list):
            stack += [(child, page) for child in node]
        elif isinstance(node, dict):
            page = node.raw_get("/Pg") if "/Pg" in node else page
            if "/K" in node:
                stack.append((node.raw_get("/K"), page))
            elif "/MCID" in node and page is not None:
                found.add(numbers[page.idnum])
        elif isinstance(node, int) and page is not None:
            found.add(numbers[page.idnum])
    return sorted(found)
