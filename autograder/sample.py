"""A small class to try the course with: its notebooks are real, its students are not.

Each student hands in the exercise with the solution's answers, some of them bent: a pair of texts
says which piece of which answer is replaced by what. One leaves the exercise as it is, and one
tries to cheat.
"""

import nbformat

from autograder import notebooks
from autograder.course import CourseError

TAMPERED = "nothing answered, tests skipped, points raised"
CLASS = {
    "convolution": {
        "amina": {},
        "bo": None,
        "chidi": {"conv2d": ("(window * weight[o])", "(window * weight[o].flip(1, 2))")},
        "dora": {"conv_out_size": ("return room // stride + 1", "return -(-room // stride) + 1")},
        "emil": {"conv2d_backward": ("g.sum(dim=(0, 2))", "g.mean(dim=(0, 2))"),
                 "max_pool2d": ('value=float("-inf")', "value=0.0")},
        "farah": {"count_macs": ("* H_out * W_out",
                                 "* H_out * W_out * layer.stride[0] * layer.stride[1]"),
                  "col2im": ("] += parts", "] = parts")},
        "goran": TAMPERED,
    },
    "normalization": {
        "amina": {},
        "bo": None,
        "chidi": {"batchnorm_forward": ("x.var(axes, correction=0)", "x.var(axes)")},
        "dora": {"batchnorm_forward": ("momentum * unbiased", "momentum * var"),
                 "batchnorm_backward": (" - g.mean(axes, keepdim=True)", "")},
        "emil": {"group_norm": ("num_groups, -1)", "x.shape[1] // num_groups, -1)"),
                 "freeze_bn": ("part.train = lambda mode=True, part=part: part", "pass")},
        "farah": {"BatchNorm2d": ("            self.training,\n",
                                  "            torch.is_grad_enabled(),\n"),
                  "fold_conv_bn": ("(bias - bn.running_mean) * factor", "bias * factor"),
                  "layer_norm": ("(var + eps).sqrt()", "(var.sqrt() + eps)")},
        "goran": TAMPERED,
    },
    "receptive_fields": {
        "amina": {},
        "bo": None,
        "chidi": {"rf_size": ("(kernel_size - 1) * dilation", "(kernel_size - 2) * dilation")},
        "dora": {"rf_table": ("(reach / 2 - padding)", "(reach // 2 - padding)"),
                 "effective_rf": ("x.grad.abs().sum(dim=(0, 1))", "x.grad.sum(dim=(0, 1)).abs()")},
        "emil": {"rf_by_gradient": ("parameter.fill_(0.1)", "parameter.abs_()"),
                 "min_layers_for_rf": (">= target", "> target")},
        "farah": {"merge_paths": ("(low + high) / 2",
                                  'sum(row["start"] for row in rows) / len(rows)'),
                  "rf_region": ("units = {unit for unit in touched if 0 <= unit < size}",
                                "units = touched")},
        "goran": TAMPERED,
    },
    "one_cycle": {
        "amina": {},
        "bo": None,
        "chidi": {"one_cycle": ("peak = pct_start * total_steps - 1",
                                "peak = int(pct_start * total_steps) - 1")},
        "dora": {"natural_exp_decay": ("global_step / decay_steps", "1 / global_step"),
                 "cosine_decay": ("((1 - alpha) * factor + alpha)", "max(factor, alpha)")},
        "emil": {"ActivationStats": ("a.abs() <= 0.05", "a <= 0.05"),
                 "train_one_cycle": ("optimizer.step()\n            scheduler.step()",
                                     "scheduler.step()\n            optimizer.step()")},
        "farah": {"lr_range_test": ("copy.deepcopy(model.state_dict())", "model.state_dict()"),
                  "OneCycle": ('(momentum, group["betas"][1])', "(momentum, 0.999)")},
        "goran": TAMPERED,
    },
}


def hand_in(course, slug, student, bends):
    """Write one submission of the sample class; `bends` None leaves it untouched."""
    notebook = notebooks.read(course.notebook("release", slug))
    if bends == TAMPERED:
        for cell in notebooks.grade_cells(notebook):
            cell.cell.metadata.tags = ["skip-execution"]
            if cell.kind == "test":
                cell.cell.metadata.nbgrader.points = 100
    elif bends is not None:
        source = notebooks.read(course.notebook("source", slug))
        answers = {cell.grade_id: cell.cell.source for cell in notebooks.grade_cells(source)
                   if cell.kind == "solution"}
        for name, (old, new) in bends.items():
            if answers[name].count(old) != 1:
                raise CourseError(f"sample student {student}: '{old}' is not once in {name}")
            answers[name] = answers[name].replace(old, new)
        for cell in notebooks.grade_cells(notebook):
            if cell.grade_id in answers:
                cell.cell.source = "\n".join(line for line in answers[cell.grade_id].split("\n")
                                             if "### " not in line)
    path = course.notebook("submitted", slug, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def hand_in_class(course, slug):
    """Write the submissions of the whole sample class, and return the students' names.

    Raises CourseError where there is no sample class, or somebody else has handed in already.
    """
    course.require_released(slug)
    if slug not in CLASS:
        raise CourseError(f"no sample class for '{slug}': there is one for: {', '.join(CLASS)}")
    others = sorted(set(course.students(slug)) - set(CLASS[slug]))
    if others:
        raise CourseError(f"{', '.join(others[:3])} handed in {slug} already: the sample class is "
                          "for an empty course")
    for student, bends in CLASS[slug].items():
        hand_in(course, slug, student, bends)
    return list(CLASS[slug])
