"""Tune the baseline: python search.py [STORAGE]"""

import sys

import pandas as pd

from sknote import make_baseline_pipeline
from sknote.model_selection import OptunaSearch, baseline_space

notes = pd.read_csv("recordings/table.csv")
search = OptunaSearch(
    make_baseline_pipeline(classify__random_state=0),
    baseline_space(),
    n_trials=6,
    cv=3,
    random_state=0,
    verbose=1,
)
if len(sys.argv) > 1:
    search.set_params(storage=sys.argv[1], study_name="baseline", resume=True)
search.fit(notes[["audio", "instrument"]], notes["label"], groups=notes["group"])
print(search.best_score_, search.best_params_)
