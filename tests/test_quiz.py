"""The forty questions, as data and in Chromium: by mouse, by keyboard, and without scripts."""

import re

import entries
import pytest
from site_helpers import ROOT
from test_browser import THEMES, settle, violations, watch

from autograder import rules

BOOK = ROOT / "book"
QUESTIONS, _, _ = entries.read(BOOK / "_data" / "questions.yaml", "questions", BOOK)
BY_ID = {question["id"]: question for question in QUESTIONS}
CHOICES = [question for question in QUESTIONS if "choices" in question]
NUMBERS = [question for question in QUESTIONS if "number" in question]


def place(question):
    """The places of the right choice and of a wrong one."""
    marks = [bool(choice.get("right")) for choice in question["choices"]]
    return marks.index(True), marks.index(False)


# The questions as data


def test_there_are_forty():
    """The forty are there, numbered without a gap; more may follow them."""
    assert [q["id"] for q in QUESTIONS] == [f"q{n}" for n in range(1, len(QUESTIONS) + 1)]
    assert len(QUESTIONS) >= 40


def test_the_numbers_of_the_answers_are_printed_by_cells():
    """Every question has a cell; of the forty, these four alone have no number to print."""
    assert all(question["proof"] for question in QUESTIONS)
    without = [question["id"] for question in QUESTIONS
               if not any(proof["shows"] for proof in question["proof"])]
    # a reading list, an attribute's name, a figure, and what a callback keeps
    assert without == ["q19", "q26", "q27", "q35"]


def test_the_right_choice_has_no_place_of_its_own():
    """Nobody passes by always choosing the first, the middle or the last."""
    firsts = [place(question)[0] for question in CHOICES]
    assert max(firsts.count(n) for n in set(firsts)) <= len(CHOICES) / 2


@pytest.mark.parametrize("kind", ["questions", "claims"])
def test_the_texts_keep_the_rules_of_prose(kind):
    """One sentence per line, and no word that scolds the reader, in YAML as in notebooks."""
    text = (BOOK / "_data" / f"{kind}.yaml").read_text(encoding="utf-8")
    lines = [re.sub(r"`[^`]*`|\$[^$]+\$", "x", line) for line in text.splitlines()
             if not line.startswith("#")]
    assert [line for line in lines if rules.FORBIDDEN.search(line)] == []
    texts = [re.sub(r"^\s*(?:- )?\w+: ", "", line) for line in lines]
    assert [line for line in texts if rules.NEXT_SENTENCE.search(line)] == []


# The page


@pytest.fixture(scope="module")
def page(site):
    """The text of the page."""
    return (site / "book" / "quiz.html").read_text(encoding="utf-8")


def test_each_question_stands_once_under_its_chapter(page):
    """The page draws every question once, in its chapter's section, with its links."""
    sections = re.split(r'<section id="[\w-]+">\n<h2>', page)[1:]
    seen = []
    for section in sections:
        about = set(re.findall(r'href="(\w+)\.html"><span', section))
        parts = re.split(r'<div class="quiz-question" id="(q\d+)">', section)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            seen.append(name)
            question = BY_ID[name]
            assert question["page"] in about, name
            for proof in question["proof"]:
                assert f'href="{proof["page"]}.html#cell-{proof["cell"]}"' in text, name
    assert sorted(seen) == sorted(BY_ID)


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_chapter_leads_to_its_questions(site, page, path):
    """At its end a chapter says how many questions there are about it, and opens the first."""
    text = (site / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
    about = [question["id"] for question in QUESTIONS if question["page"] == path.stem]
    found = re.findall(r'href="quiz\.html#(q\d+)">(\d+) questions? about this page<', text)
    assert found == ([(about[0], str(len(about)))] if about else [])
    for first, _ in found:
        assert f'id="{first}"' in page
        assert "launch-exercise" in text.partition("launch-quiz")[0]
        assert not re.search("<h[23]>|launch-exercise", text.partition("launch-quiz")[2])


def opened(browser, url, width=1440, **options):
    """A tab with the page."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_default_timeout(20_000)
    tab = context.new_page()
    watch(tab, url.removesuffix("book/quiz.html"))
    tab.goto(url)
    if options.get("java_script_enabled", True):
        settle(tab)
    return tab


@pytest.fixture(scope="module")
def url(site):
    """The page as a file."""
    return (site / "book" / "quiz.html").as_uri()


@pytest.fixture(scope="module")
def tab(browser, url):
    """The page, opened from disk; afterwards it must have asked for nothing else."""
    tab = opened(browser, url)
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    assert asked == []
    assert tab.url == url and tab.errors + tab.outside == [], "an answer was sent somewhere"
    tab.context.close()


def said(tab, name):
    """What the page answers to a question."""
    return " ".join(tab.locator(f"#{name} output").text_content().split())


@pytest.mark.parametrize("question", CHOICES, ids=lambda question: question["id"])
def test_a_choice_is_judged(tab, question):
    """A wrong choice gets its misconception, another choice clears it, the right one opens."""
    name, (right, wrong) = question["id"], place(question)
    box, details = tab.locator(f"#{name}"), tab.locator(f"#{name} details")
    box.get_by_role("button", name="Check").click()
    assert said(tab, name) == "Choose an answer first."
    box.get_by_role("radio").nth(wrong).check()
    box.get_by_role("button", name="Check").click()
    why = tab.locator(f"#{name} li.wrong .why").first.text_content()
    assert said(tab, name) == "Not this one. " + " ".join(why.split())
    assert details.get_attribute("open") is None
    box.get_by_role("radio").nth(right).check()
    assert said(tab, name) == ""
    box.get_by_role("button", name="Check").click()
    assert said(tab, name) == "Right." and details.get_attribute("open") is not None


@pytest.mark.parametrize("question", NUMBERS, ids=lambda question: question["id"])
def test_a_number_is_judged(tab, question):
    """The right number passes in any usual spelling, its neighbours and words do not."""
    name, number = question["id"], question["number"]
    field = tab.get_by_role("group", name=re.compile(f"^{name[1:]}\\. ")).get_by_role("textbox")
    for written, answer in [
            ("", "Write a number"), ("many", "Write a number"), (str(number + 1), "Not this"),
            (f"-{number}", "Not this"), (f"\N{MINUS SIGN}{number}", "Not this"),
            (f" {number:,} ", "Right."), (f"{number}", "Right.")]:
        field.fill(written)
        field.press("Enter")
        assert said(tab, name).startswith(answer), written


def test_the_keyboard_is_enough(tab):
    """Tab, arrows, space and Enter answer a question and open its answer, with a focus ring."""
    name, (right, _) = CHOICES[0]["id"], place(CHOICES[0])
    if tab.locator(f"#{name} details").get_attribute("open") is not None:
        tab.locator(f"#{name} summary").click()
    tab.locator(f"#{name} input").first.focus()
    for _ in range(right):
        tab.keyboard.press("ArrowDown")
    if right == 0:
        tab.keyboard.press("Space")
    tab.keyboard.press("Tab")
    focus = "getComputedStyle(document.activeElement).outlineStyle + document.activeElement.tagName"
    assert tab.evaluate(focus) == "solidBUTTON"
    tab.keyboard.press("Enter")
    assert said(tab, name) == "Right."
    tab.keyboard.press("Tab")
    assert tab.evaluate(focus) == "solidSUMMARY"
    tab.keyboard.press("Enter")
    assert tab.locator(f"#{name} details").get_attribute("open") is None


def test_an_answer_is_announced(tab):
    """What is said stands in a live region that was there before, inside of the question."""
    found = tab.locator(".quiz-question output[aria-live='polite']")
    assert found.count() == len(CHOICES) + len(NUMBERS)
    groups = tab.get_by_role("group").filter(has=tab.locator("legend"))
    assert groups.count() == len(QUESTIONS)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [375, 1440])
def test_the_open_page_is_accessible_and_fits(browser, url, theme, width):
    """With every answer open and a remark on each question, axe finds nothing, nothing spills."""
    tab = opened(browser, url, width, color_scheme=theme)
    tab.evaluate("""() => {
        for (const form of document.querySelectorAll(".quiz-question form")) form.requestSubmit();
        for (const details of document.querySelectorAll("details")) details.open = true;
    }""")
    assert tab.locator(".quiz-question output:not(:empty)").count() == len(CHOICES + NUMBERS)
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
    assert violations(tab) == []
    tab.context.close()


def test_without_scripts_the_answers_are_there(browser, url):
    """No button that does nothing; the answer, the reasons and the links are in <details>."""
    tab = opened(browser, url, java_script_enabled=False)
    assert tab.get_by_role("button", name="Check").count() == 0
    for question in (CHOICES[0], NUMBERS[0]):
        box = tab.locator(f"#{question['id']}")
        box.locator("summary").click()
        assert box.locator("details .proof a").first.is_visible()
    assert tab.locator(f"#{CHOICES[0]['id']} li.right").is_visible()
    assert str(NUMBERS[0]["number"]) in tab.locator(f"#{NUMBERS[0]['id']} strong").inner_text()
    tab.locator(f"#{NUMBERS[0]['id']} input").press("Enter")  # a form would go to another address
    tab.wait_for_timeout(200)
    assert tab.url == url
    tab.context.close()


def test_a_link_leads_to_its_cell(browser, url):
    """From an answer to the cell that shows it: below the header, marked, on the screen."""
    tab = opened(browser, url)
    box = tab.locator("#q15")
    box.locator("summary").click()
    box.locator(".proof a").click()
    settle(tab)
    cell = tab.locator("#cell-s09-09")
    assert tab.url.endswith("convolution.html#cell-s09-09")
    assert 0 < cell.bounding_box()["y"] < 900
    header = tab.locator(".bd-header-article").bounding_box()
    assert cell.bounding_box()["y"] >= header["y"] + header["height"]
    assert "56448" in cell.inner_text()
    assert tab.evaluate("e => getComputedStyle(e).outlineStyle", cell.element_handle()) == "solid"
    tab.context.close()
