"""What several test files share: the built site, a server for it, and a browser."""

import functools
import http.server
import os
import pickle
import shutil
import threading
from types import SimpleNamespace

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from site_helpers import PREFIX, ROOT, build_book, publish, without_chromium

from publish.chromium import find_chromium

# The same examples in each run, however slow the machine is.
settings.register_profile("course", derandomize=True, deadline=None, suppress_health_check=[
    HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
settings.load_profile("course")

# What takes longest, to begin with: a long file at the end would leave the other processes idle.
FIRST = ["test_hostile.py", "one_cycle.ipynb", "test_browser.py", "convolution.ipynb",
         "normalization_in_training.ipynb", "normalization.ipynb", "receptive_fields.ipynb",
         "activations.ipynb", "test_sandbox.py", "test_class.py", "test_publish_pdf.py",
         "test_references.py", "test_grading.py", "test_postgres.py", "test_report.py",
         "test_journal.py"]


def pytest_configure(config):
    """Where processes share the work, files begin in the order of `FIRST`, not of their length."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config, items):
    """Put the long files first where processes share the work; alone, the order stays."""
    if hasattr(config, "workerinput"):
        place = {name: n for n, name in enumerate(FIRST)}
        items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Make a thing once for all processes of a run.

    `once(name, make)` returns what `make(folder)` returned, in whichever process it was called;
    that must be a value that can be pickled, such as a path in the folder. Nobody may change it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def made(name, make):
        folder = base / f"once-{name}"
        with FileLock(f"{folder}.lock"):
            result = folder / "result"
            if not result.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed at it
                folder.mkdir()
                value = make(folder)
                result.write_bytes(pickle.dumps(value))
            return pickle.loads(result.read_bytes())

    return made


@pytest.fixture(scope="session")
def built(once):
    """The course's site, built once, from nothing, out of the way of a reader's _build."""
    return once("site", lambda folder: build_book(ROOT, folder))


@pytest.fixture(scope="session")
def site(built):
    """The folder of the built site; a failed build fails every test that needs it."""
    if built.returncode != 0:
        pytest.fail(f"the site does not build:\n{built.output[-4000:]}")
    return built.html


@pytest.fixture(scope="session")
def address(site, tmp_path_factory):
    """The address at which the built site is served."""
    root = tmp_path_factory.mktemp("host")
    (root / PREFIX.strip("/")).symlink_to(site, target_is_directory=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def made(site, once):
    """The PDF and the zip, as the command makes them of the built site."""
    if find_chromium() is None:
        without_chromium()
    run, folder = once("kept", lambda folder: (publish("--site", site, "--to", folder), folder))
    assert run.returncode == 0, run.stdout + run.stderr
    return SimpleNamespace(pdf=folder / "convnets-by-hand.pdf", zip=folder / "convnets-by-hand.zip",
                           says=run.stdout)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, gone before other files run: its event loop would be in their way."""
    path = find_chromium()
    if path is None:
        without_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


# For files that test figures; such a file names its page as PAGE, by default the first.


@pytest.fixture(scope="session")
def figures_source(once):
    """The sources of a small book with all figures."""
    from figures import write_book

    return once("figures", lambda folder: write_book(folder / "source"))


@pytest.fixture(scope="session")
def book(figures_source, once):
    """The folder of its built pages."""
    made = once("book", lambda folder: build_book(figures_source, folder))
    assert made.returncode == 0, made.output[-3000:]
    return made.html / "book"


@pytest.fixture
def visit(browser, book, request):
    """Open pages of the book from disk; afterwards they must have reported no error."""
    from figures import opener

    yield from opener(browser, book, getattr(request.module, "PAGE", "fields"))


@pytest.fixture(scope="module")
def shared(browser, book, request):
    """The page of a file, for the tests that do not need a fresh one."""
    from figures import opener

    pages = opener(browser, book, getattr(request.module, "PAGE", "fields"))
    yield next(pages)()
    next(pages, None)


@pytest.fixture
def tab(shared):
    """The shared page, as if it had been opened now."""
    from figures import as_new

    as_new(shared)
    yield shared
    assert shared.errors + shared.outside == []
