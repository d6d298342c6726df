"""Hidden tests of the receptive-field assignment.

`functions` holds the references; each of the other modules holds, for one group of functions, the
known mistakes and what its hidden tests feed a student's function. A network crosses to the kernel
as a description that `autograder.drivers.receptive_fields` builds.
"""

from autograder.references.receptive_fields import effective, gradient, paths, size, table

TASKS = {task.__name__: task() for task in (
    size.rf_size,
    table.rf_table,
    table.rf_region,
    gradient.rf_by_gradient,
    paths.merge_paths,
    effective.effective_rf,
    size.min_layers_for_rf,
)}
