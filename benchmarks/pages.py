"""What models answered in a run, kept, and a page for each of them (`report --pages`).

Answers are kept in ``--cache-dir``, of which a result knows its own by the task and the settings.
They are numbers and names: no recording is in them, nor in a page.
"""

import numpy as np
import pandas as pd
from sklearn.base import clone

from benchmarks.processes import find_or_make
from benchmarks.results import plain
from sknote import LabelHierarchy
from sknote.inspection import write_report


def keep_answers(cache_dir, stem, task, about, outcomes):
    """Keep what each model answered in the folds of the result `stem`; `about` describes it."""
    hierarchy = clone(task.hierarchy).fit(task.classes)
    spelling = hierarchy.table_.set_index("original")["normalized"].to_dict()  # instead of code
    for model, folds in outcomes.items():
        rows = np.concatenate([fold["rows"] for fold in folds])
        kept = {
            "about": plain({name: about[name] for name in ("key", "settings")}),
            "hierarchy": plain(hierarchy.get_params() | {"normalize": spelling}),
            "proba": np.concatenate([fold["proba"] for fold in folds]),
            "classes": np.asarray(task.classes, dtype=str),
            "target": np.asarray(task.target[rows], dtype=str),
            "groups": np.asarray(task.groups[rows], dtype=str),
            "instrument": task.data.instrument.fillna("unknown").to_numpy(dtype=str)[rows],
            "names": np.asarray(task.names, dtype=str)[rows],
        }
        find_or_make(_place(cache_dir, stem, model), lambda kept=kept: kept, fresh=True)


def write_pages(folder, cache_dir, stem, result):
    """Write a page for each model of a result whose answers are kept; returns their paths."""
    pages = []
    for model in result["models"]:
        place = _place(cache_dir, stem, model)
        kept = find_or_make(place, dict) if place.exists() else None
        if not kept or any(result["task"][name] != one for name, one in kept["about"].items()):
            continue  # none, or those of other notes
        folder.mkdir(parents=True, exist_ok=True)
        page = write_report(
            folder / f"{stem}-{model}.html",
            None,
            pd.DataFrame({"instrument": kept["instrument"]}, index=kept["names"]),
            kept["target"],
            kept["groups"],
            y_proba=kept["proba"],
            classes=kept["classes"],
            hierarchy=LabelHierarchy(**kept["hierarchy"]),
            title=f"{stem}: {model}, {result['task']['settings']['folds']} folds of whole groups",
        )
        pages.append(page)
    return pages


def _place(cache_dir, stem, model):
    return cache_dir / "answers" / f"{stem}-{model}.npz"
