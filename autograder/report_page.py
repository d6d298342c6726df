"""A report as an HTML page that needs nothing else: no script, no request, no font."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder import report_plots as plots
from autograder import report_text as text
from autograder.similar import HONEST

TEMPLATE = "report.html"
MOST = 500  # rows of a table of groups or notes


def page(reports):
    """One page on all `reports`, as HTML."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"),
                              autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.filters |= {"clean": text.clean, "percent": text.percent,
                            "seconds": text.seconds, "count": text.count, "number": _number}
    shown = [{"id": f"r{i}", "is": report, "plots": _plots(report, f"r{i}")}
             for i, report in enumerate(reports, 1)]
    return environment.get_template(TEMPLATE).render(
        reports=shown, text=text, honest=HONEST, most=MOST,
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))


def _plots(report, name):
    """The plots that there is something to draw for: {name: (SVG, alternative text)}."""
    wanted = {"scores": bool(report.students), "tests": bool(report.readable and report.questions),
              "mistakes": bool(report.mistakes), "heatmap": True, "times": bool(report.times)}
    drawn = {}
    for kind, there in wanted.items():
        plot = getattr(plots, kind)(report) if there else None
        if plot:
            drawn[kind] = Markup(plots.svg(plot, f"{name}-{kind}"))  # the texts in it are escaped
    return drawn


def _number(value):
    """Points without needless digits."""
    return f"{value:g}"
