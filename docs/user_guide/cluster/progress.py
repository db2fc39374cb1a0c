"""Show how far a search is: python progress.py STORAGE"""

import sys

import optuna
from optuna.storages.journal import JournalFileBackend

storage = sys.argv[1]
if "://" not in storage:
    storage = optuna.storages.JournalStorage(JournalFileBackend(storage))
study = optuna.load_study(study_name="baseline", storage=storage)
print(study.trials_dataframe(attrs=("number", "state", "value", "duration")))
