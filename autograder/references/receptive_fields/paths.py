"""Several paths to one unit: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.receptive_fields import functions as right


def _merged(rf, start):
    """The merged row with another field or start, refusing what cannot be added."""
    def wrong(*rows):
        row = right.merge_paths(*rows)
        return row | {"rf": rf(rows, row), "start": start(rows, row)}
    return wrong


def _widest(rows):
    """The row with the widest field."""
    return max(rows, key=lambda row: row["rf"])


def _careless(*rows):
    """Merge whatever comes, with the first path's size and jump."""
    return right.merge_paths(*[row | {key: rows[0][key] for key in ("size", "jump")}
                               for row in rows])


def _checks_size_only(*rows):
    """Refuse different sizes, and overlook different jumps."""
    return right.merge_paths(*[row | {"jump": rows[0]["jump"]} for row in rows])


MERGE_PATHS = [
    Mistake("the fields of the paths are added up",
            "Fields overlap: a sum sees what either path sees, once.",
            _merged(lambda rows, row: sum(r["rf"] for r in rows), lambda rows, row: row["start"])),
    Mistake("only the widest path counts",
            "Paths that are not aligned see pixels outside of the widest: take the lowest first "
            "and the highest last pixel of all.",
            _merged(lambda rows, row: _widest(rows)["rf"],
                    lambda rows, row: _widest(rows)["start"])),
    Mistake("start is that of the widest path",
            "The centre of the union lies half-way between its first and its last pixel.",
            _merged(lambda rows, row: row["rf"], lambda rows, row: _widest(rows)["start"])),
    Mistake("start is the mean of the paths' starts",
            "The centre of the union lies half-way between its first and its last pixel.",
            _merged(lambda rows, row: row["rf"],
                    lambda rows, row: sum(r["start"] for r in rows) / len(rows))),
    Mistake("the ends lie rf / 2 from the centre, not (rf - 1) / 2",
            "First and last pixel lie (rf - 1) / 2 from the centre.",
            _merged(lambda rows, row: row["rf"] + 1, lambda rows, row: row["start"])),
    Mistake("only what every path sees counts",
            "A sum changes when either of its terms does: take the union, not the overlap.",
            _merged(lambda rows, row: min(r["rf"] for r in rows), lambda rows, row: row["start"])),
    Mistake("only the first two paths are merged",
            "There may be any number of paths.",
            lambda *rows: right.merge_paths(*rows[:2])),
    Mistake("paths that cannot be added are merged",
            "Raise a ValueError when sizes or jumps differ: torch could not add the maps, or "
            "would add units that look at different places.",
            _careless),
    Mistake("paths of different jumps are merged",
            "Equal sizes are not enough: with different jumps, equal indices look at different "
            "places.",
            _checks_size_only),
    Mistake("start is rounded down to a whole pixel",
            "The centre of a union may lie between two pixels: divide by 2 with `/`.",
            _merged(lambda rows, row: row["rf"], lambda rows, row: row["start"] // 1)),
]


def _row(size, jump, rf, start):
    return {"size": size, "jump": jump, "rf": rf, "start": start}


def merge_paths():
    """Tests of the union of paths; each case ends in an empty dictionary: no keyword arguments."""
    return Task(right.merge_paths, {
        "aligned": Behaviour(lambda draw: [
            (_row(28, 1, 1, 0.0), _row(28, 1, 5, 0.0), {}),
            (_row(14, 2, 7, 0.0), _row(14, 2, 3, 0.0), _row(14, 2, 11, 0.0), {}),
            (_row(7, 4, 9, -1.0), {}),
        ], driver="receptive_fields.merged"),
        "shifted": Behaviour(lambda draw: [
            (_row(24, 1, 5, 2.0), _row(24, 1, 1, 0.0), {}),
            (_row(12, 2, 3, 4.0), _row(12, 2, 6, -1.5), _row(12, 2, 2, 9.5), {}),
            (_row(9, 1, 2, 0.5), _row(9, 1, 2, 2.5), {}),
        ], driver="receptive_fields.merged"),
        "refuses": Behaviour(lambda draw: [
            (_row(28, 1, 1, 0.0), _row(26, 1, 3, 1.0), {}),
            (_row(14, 1, 1, 0.0), _row(14, 2, 3, 0.0), {}),
            (_row(14, 2, 3, 0.0), _row(14, 2, 5, 0.0), _row(14, 4, 3, 0.0), {}),
            (_row(14, 2, 3, 0.0), _row(14, 2, 5, 0.0), {}),
        ], driver="receptive_fields.merged"),
    }, MERGE_PATHS)
