"""The directives {quiz} and {claims}: questions and claims of book/_data/, with their proofs.

    ```{quiz}
    :chapter: convolution
    ```

draws the questions of a chapter, and without `:chapter:` all of them; {claims} does the same.
A question is a form that works without a server and, through its <details>, without scripts:
the script quiz.js only compares what a reader chose with what the <details> say.
The files are checked at every build, and each entry that is faulty or on no page is one warning.
"""

from pathlib import Path

import cells
import entries
from docutils import nodes
from docutils.parsers.rst import directives
from markup import html, phrase, tag
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)


class Entries(SphinxDirective):
    """Draw the entries of a chapter, or of all."""

    kind = ""
    option_spec = {"chapter": directives.unchanged_required}

    def run(self):
        """Return one node per entry, or nothing after a warning."""
        path, book = files(self.env.app, self.kind)
        if not path.is_file():
            return self.refuse(f"there is no file book/_data/{path.name}")
        self.env.note_dependency(str(path))
        found, left_out, problems = entries.read(path, self.kind, book)
        chapter = self.options.get("chapter")
        chosen = [entry for entry in found if chapter in (None, entry["page"])]
        known = entries.pages(self.kind, book)
        if chapter is not None and chapter not in known:
            return self.refuse(f"there is no chapter {chapter!r}: use {' or '.join(known)}")
        if not chosen and not problems:
            return self.refuse(f"{path.name} holds nothing on {chapter!r}")
        drawn = self.env.metadata[self.env.docname].setdefault(f"drawn_{self.kind}", [])
        drawn.extend(entry["id"] for entry in chosen)
        for entry in chosen:
            for proof in entry["proof"]:
                self.env.note_dependency(str(book / f"{proof['page']}.ipynb"))
        return [self.draw(entry, book) for entry in chosen]

    def refuse(self, reason):
        """Warn about this directive, and put nothing on the page."""
        logger.warning("{%s}: %s", self.name, reason, location=self.get_location(), type="quiz")
        return []

    def blocks(self, text):
        """The nodes of a text in Markdown."""
        return self.parse_text_to_nodes(str(text))

    def phrase(self, text):
        """The words of one paragraph of Markdown."""
        found = self.blocks(text)
        made = phrase("", "", *(found[0].children if found else []))
        self.set_source_info(made)
        return made

    def evidence(self, entry, book):
        """Where to see it: links to cells, and a program with what it gives."""
        links = {}  # words by target: two cells of one section must not look alike
        for proof in entry["proof"]:
            title, known = cells.read(book / f"{proof['page']}.ipynb")
            words = known[proof["cell"]].heading or title
            if proof["page"] != entry["page"]:
                words += f" ({title})"
            target = f"{proof['page']}#{proof['cell']}"
            if target not in links:
                links[target] = words + " (another cell)" * (words in links.values())
        lines = [nodes.list_item("", nodes.paragraph(
            "", "", cells.link(self.env.docname, target, words)))
            for target, words in links.items()]
        made = []
        if lines:
            lead = "Shown by this cell:" if len(lines) == 1 else "Shown by these cells:"
            made = [nodes.paragraph("", lead), nodes.bullet_list("", *lines, bullet="-")]
        if "try" in entry:
            made += [nodes.paragraph("", "Shown by this program:"),
                     *self.blocks(f"```python\n{entry['try'].rstrip()}\n```"),
                     *self.blocks(f"```text\n{str(entry['gives']).rstrip()}\n```")]
        return html("div", *made, class_="proof")


class Quiz(Entries):
    """Draw questions as forms."""

    kind = "questions"

    def draw(self, entry, book):
        """The form of one question, and its answer in <details>."""
        name = entry["id"]
        legend = html("legend", html("span", nodes.Text(f"{name.lstrip('q')}. "), class_="number"),
                      self.phrase(entry["question"]))
        fields, answer = [], []
        if "choices" in entry:
            fields = [self.choice(name, n, c) for n, c in enumerate(entry["choices"])]
            answer = [html("ul", *(self.verdict(n, c) for n, c in enumerate(entry["choices"])),
                           class_="verdicts")]
        elif "number" in entry:
            unit = entry.get("unit", "")
            fields = [html("p", html("label", nodes.Text("Your number "), for_=f"{name}-number"),
                           html("input", id=f"{name}-number", type="text", inputmode="decimal",
                                autocomplete="off", size="6"), nodes.Text(f" {unit}"))]
            number = f"{entry['number']:,}" if isinstance(entry["number"], int) else entry["number"]
            answer = [html("p", html("strong", nodes.Text(f"{number} {unit}".strip())),
                           nodes.Text("."))]
        else:
            answer = self.blocks(entry["answer"])
        if fields:
            fields += [html("div", html("button", nodes.Text("Check"), type="submit", disabled=""),
                            html("output", class_="said", aria_live="polite"),
                            class_="check", hidden="")]
        given = entry.get("number")
        form = html("fieldset", legend, *fields)
        if fields:
            form = html("form", form, autocomplete="off",
                        data_number=None if given is None else str(given))
        details = html("details", html("summary", nodes.Text("Answer")), *answer,
                       *self.blocks(entry["explanation"]), self.evidence(entry, book))
        return html("div", form, details, class_="quiz-question", id=name)

    def choice(self, name, number, choice):
        """A radio button with its words."""
        mark = f"{name}-{number}"
        return html("div", html("input", type="radio", name=name, id=mark, value=str(number)),
                    html("label", self.phrase(choice["text"]), for_=mark), class_="choice")

    def verdict(self, number, choice):
        """What the answer says of a choice."""
        right = bool(choice.get("right"))
        said = self.phrase(choice["text"])
        lead = html("strong", nodes.Text("Right: " if right else "Wrong: "))
        why = [] if right else [html("span", self.phrase(choice["why"]), class_="why")]
        return html("li", lead, html("span", said, class_="chosen"), *why,
                    class_="right" if right else "wrong", data_choice=str(number))


class Claims(Entries):
    """Draw claims: what one meets, what is true, and where it is shown."""

    kind = "claims"

    def draw(self, entry, book):
        """One claim with its truth and its evidence."""
        return html("div",
                    html("p", html("strong", nodes.Text("Claim: "), class_="claimed"),
                         self.phrase(entry["claim"]), class_="claim"),
                    *self.blocks(entry["truth"]), self.evidence(entry, book),
                    class_="claim-entry", id=entry["id"])


def files(app, kind):
    """The file of a kind of entries, and the folder of the notebooks."""
    book = Path(app.srcdir) / "book"
    return book / "_data" / f"{kind}.yaml", book


def check_files(app):
    """Warn once of each faulty entry; called by Sphinx when a build begins."""
    for kind in entries.FIELDS:
        path, book = files(app, kind)
        if path.is_file():
            for line, message in entries.read(path, kind, book)[2]:
                logger.warning(message, location=f"book/_data/{path.name}:{line}", type="quiz")


def check_drawn(app, env):
    """Warn of each entry that no page draws; called by Sphinx when all pages are read."""
    for kind, directive in ((Quiz.kind, "quiz"), (Claims.kind, "claims")):
        path, book = files(app, kind)
        drawn = {name for page in env.metadata.values() for name in page.get(f"drawn_{kind}", ())}
        for entry in entries.read(path, kind, book)[0] if path.is_file() else ():
            if entry["id"] not in drawn:
                logger.warning("%s is on no page: write {%s} with `:chapter: %s` where it belongs",
                               entry["id"], directive, entry["page"],
                               location=f"book/_data/{path.name}:{entry['line']}", type="quiz")


def load_scripts(app, pagename, templatename, context, doctree):
    """Load the script and the style on pages with questions or claims alone."""
    if doctree is not None and next(doctree.findall(tag), None) is not None:
        app.add_css_file("quiz/quiz.css")
        app.add_js_file("quiz/quiz.js", loading_method="defer")


def setup(app):
    """Register the directives; called by Sphinx."""
    app.setup_extension("cells")
    app.setup_extension("markup")
    app.add_directive("quiz", Quiz)
    app.add_directive("claims", Claims)
    app.connect("builder-inited", check_files)
    app.connect("env-check-consistency", check_drawn)
    app.connect("html-page-context", load_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
