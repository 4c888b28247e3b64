"""The options of each verb."""

from regard.cli.options import (
    bench,
    compare,
    convert,
    demo,
    doctor,
    eval,
    export,
    predict,
    recipes,
    serve,
    train,
    view,
)

VERBS = {
    "demo": demo.add_options,
    "train": train.add_options,
    "predict": predict.add_options,
    "view": view.add_options,
    "serve": serve.add_options,
    "eval": eval.add_options,
    "compare": compare.add_options,
    "export": export.add_options,
    "convert": convert.add_options,
    "recipes": recipes.add_options,
    "bench": bench.add_options,
    "doctor": doctor.add_options,
}
"""What adds the options of a verb to its parser."""
