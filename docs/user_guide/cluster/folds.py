"""Cross-validate the network on a cluster, one fold a worker: python folds.py SCHEDULER"""

import sys

import pandas as pd
from dask.distributed import Client
from joblib import parallel_config
from sklearn.model_selection import GroupKFold, cross_validate

from sknote import make_note_pipeline

notes = pd.read_csv("recordings/table.csv")
X, y = notes[["audio", "instrument"]], notes["label"]
folds = GroupKFold(4).split(X, y, notes["group"])
folds = [(train.tolist(), test.tolist()) for train, test in folds]
pipeline = make_note_pipeline(classify__max_epochs=2, classify__random_state=0)
with Client(sys.argv[1]), parallel_config("dask", scatter=[X, y]):
    print(cross_validate(pipeline, X, y, cv=folds)["test_score"])
