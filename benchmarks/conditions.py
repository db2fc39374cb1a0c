"""Ask models that were trained on clean notes about the same notes as users would record them."""

import functools
import hashlib
import io
import re
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import soundfile
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from benchmarks import cli, recordings, run
from benchmarks.cli import RESULTS, positive
from benchmarks.datasets import load_task, make_folds
from benchmarks.environment import code_digest
from benchmarks.features import make_features
from benchmarks.folds import fit_fold, plan
from benchmarks.layout import describe_data, new_figure, print_remarks, publish, table
from benchmarks.metrics import score
from benchmarks.models import MODELS, settings
from benchmarks.peers import is_installed
from benchmarks.processes import run_kept
from benchmarks.recordings import CONDITIONS
from benchmarks.results import describe_task, mean_and_spread, merge, rests_on
from benchmarks.search import fold_pipelines
from sknote.audio import decode
from sknote.exceptions import AudioDecodeError

CLEAN, *CHANGED = CONDITIONS
MEAN, WORST = "mean of changed", "worst"
_LEVELS = ("articulation", "dynamic", "quality", "aspect", "specific")
# Score → heading
SCORES = {"accuracy": "accuracy", **{f"{level}_accuracy": level for level in _LEVELS}}
SCORES |= {"macro_f1": "macro-F1"}
_USUALLY = ("compact", "practice", "baseline", "extra_trees", "egemaps_trees")
_ASKED = ",".join(filter(is_installed, _USUALLY))
SETTINGS = (*run.SETTINGS, "first_folds")
USUAL = run.USUAL | {"first_folds": (None, "first-{}-folds")}
FOLD_OPTIONS = {
    **{name: option for name, option in run.OPTIONS.items() if name != "--inner"},
    "--models": (
        cli.names,
        _ASKED,
        "with commas; an unknown one lists them; egemaps_trees, too, where openSMILE is installed",
    ),
    "--first-folds": (positive, None, "run only so many of --folds"),
}
OPTIONS = {
    **FOLD_OPTIONS,
    "--learn-from": (tuple(CONDITIONS), CLEAN, "condition of the notes that models learn from"),
}
_UNKNOWN_RATE = 48_000  # of what libsndfile does not read, in Hz


class Recorded(TransformerMixin, BaseEstimator):
    """Put in the place of each path the bytes of a WAV: the recording under a condition.

    Chance is drawn from `seed` and what the file contains. What cannot be read stays a path. `code`
    stands for the code of the conditions: what was kept of another one is not taken for this.
    """

    def __init__(self, condition, *, seed=0, code=None):
        self.condition = condition
        self.seed = seed
        self.code = code

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return bytes, and the path of what cannot be read."""
        return [self._recorded(path) for path in X]

    def _recorded(self, path):
        try:
            data = Path(path).read_bytes()
            rate = _rate_of(data)
            waveform = decode(data, sample_rate=rate, remarks=[])
        except (OSError, AudioDecodeError):
            return path
        drawn = hashlib.sha256(f"{self.condition}, {self.seed}: ".encode() + data).digest()
        rng = np.random.default_rng(int.from_bytes(drawn[:16], "little"))
        changed = CONDITIONS[self.condition](waveform, rate, rng)
        soundfile.write(file := io.BytesIO(), changed, rate, format="WAV", subtype="FLOAT")
        return file.getvalue()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _rate_of(data):
    try:
        return soundfile.info(io.BytesIO(data)).samplerate
    except soundfile.LibsndfileError:
        return _UNKNOWN_RATE


def recorded(pipeline, condition, seed):
    """Return a pipeline that hears each note under a condition."""
    if len(pipeline) == 1 or condition == CLEAN:  # it hears nothing, or notes as they are
        return pipeline
    record = Recorded(condition, seed=seed, code=code_digest(recordings))
    return Pipeline([("record", record), *pipeline.steps])


def main(args):
    """Run the command; returns its exit status."""
    common, models = run.prepare(args)
    task = load_task(args)
    pipelines, folds, remarks = choose_folds(task, models, args)
    every = [pipeline for own in pipelines.values() for pipeline in own]
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs * common.n_threads}
    learned = [recorded(one, args.learn_from, args.seed) for one in every]
    unreadable, more = make_features(task, learned, **how)
    tested = np.sort(np.concatenate([test for _, test in folds]))
    changed = [recorded(one, name, args.seed) for one in every for name in _asked(args)]
    make_features(task, changed, **how, rows=tested)
    jobs = plan_questions(task, folds, pipelines, args, common)
    how = {"cache_dir": args.cache_dir, "n_jobs": args.n_jobs, "n_threads": common.n_threads}
    found = iter(run_kept(fit_fold, jobs, **how, fresh=args.fresh))
    entries = {}
    for name, own in pipelines.items():
        outcomes = [next(found) for _ in folds]
        entries[name] = summarize(task, name, own[0], outcomes, args.learn_from)
    about = {name: getattr(args, name) for name in SETTINGS}
    about["conditions"] = code_digest(recordings)
    name = f"conditions-{run.result_name(args, USUAL)}"
    if args.learn_from != CLEAN:
        about["learn_from"] = args.learn_from
        name += "-learned-from-" + "-".join(re.findall(r"\w+", args.learn_from))
    about = describe_task(task, about, [*remarks, *more], unreadable)
    path = args.out / f"{args.name or name}.json"
    result = merge(path, about, entries, "conditions")
    publish(result, path, sys.modules[__name__])
    print_remarks(result["task"], {n: entry["warnings"] for n, entry in result["models"].items()})
    return 0


def choose_folds(task, models, args):
    """Return the pipelines of each model, the folds that are run, and remarks on these."""
    folds, remarks = make_folds(task, args.folds, args.seed)
    places = (args.out, RESULTS)
    pipelines = {name: fold_pipelines(name, models[name], task, folds, places) for name in models}
    if args.first_folds and args.first_folds >= len(folds):
        args.first_folds = None  # that is all of them
    n = args.first_folds
    return {name: own[:n] for name, own in pipelines.items()}, folds[:n], remarks


def plan_questions(task, folds, pipelines, args, options):
    """List the folds of all models as jobs; each asks its model about all conditions."""
    how = {"cache_dir": args.cache_dir, "options": options, "n_jobs": args.n_jobs}
    jobs = []
    for job in plan(task, folds, pipelines, **how):
        pipeline = job.arguments["pipeline"]
        learned = recorded(pipeline, args.learn_from, args.seed)
        changed = {name: recorded(pipeline, name, args.seed) for name in _asked(args)}
        key = {"changed": {name: settings(one) for name, one in changed.items()}}
        key |= {"settings": settings(learned)}
        arguments = job.arguments | {"pipeline": learned, "changed": changed}
        jobs.append(job._replace(key=job.key | key, arguments=arguments))
    return jobs


def _asked(args):
    """Name the conditions but that of the notes that models learn from."""
    return [name for name in CONDITIONS if name != args.learn_from]


def summarize(task, name, pipeline, outcomes, learned_from=CLEAN):
    """Put together what a model answered in each fold under each condition."""
    folds = [score_conditions(task, outcome, learned_from) for outcome in outcomes]
    conditions = {}
    for condition in folds[0]:
        own = [fold[condition] for fold in folds]
        changes = [
            {score: value - fold[CLEAN][score] for score, value in fold[condition].items()}
            for fold in folds
        ]
        conditions[condition] = mean_and_spread(own) | {"change": mean_and_spread(changes)}
    worst = {
        score: min(CHANGED, key=lambda one: conditions[one]["mean"][score])
        for score in folds[0][CLEAN]
    }
    about = {"summary": MODELS[name][0], "settings": settings(pipeline), **rests_on(outcomes)}
    return about | {"conditions": conditions, "worst": worst, "folds": folds}


def score_conditions(task, outcome, learned_from):
    """Return condition → scores, and the mean of the changed ones."""
    rows = outcome["rows"]
    about = (task.classes, task.hierarchy, task.groups[rows])
    found = {}
    probas = {learned_from: outcome["proba"], **outcome["changed"]}
    for condition in CONDITIONS:
        scores = score(task.target[rows], probas[condition], *about)
        found[condition] = {name: scores[name] for name in SCORES if name in scores}
    found[MEAN] = {name: mean(found[one][name] for one in CHANGED) for name in found[CLEAN]}
    return found


def score_table(result, score, *, change=False):
    """Return the header and one row per condition: a score of each model, or its change."""
    models = result["models"]
    means = [entry["conditions"][CLEAN]["mean"] for entry in models.values()]
    if not all(score in one for one in means):
        return [["condition", *models]]
    rows = {condition: {} for condition in [*CONDITIONS, MEAN, WORST]}
    for model, entry in models.items():
        for condition, row in rows.items():
            known = entry["conditions"][entry["worst"][score] if condition == WORST else condition]
            known = known["change"] if change else known
            row[model] = known["mean"][score], known["std"][score]
    if change:
        del rows[CLEAN]
    return table("condition", rows, {n: (n, "+.3f" if change else ".3f") for n in models})


def tables_of(score_table):
    """Return a table for each score; that of a level has its name in documents."""
    own = {f"{level}_accuracy": (level, f"Accuracy of the {level} alone") for level in _LEVELS}
    own = {"accuracy": ("scores", "Accuracy"), **own, "macro_f1": ("macro_f1", "Macro-F1")}
    return {
        key: (title, functools.partial(score_table, score=name))
        for name, (key, title) in own.items()
    }


TABLES = tables_of(score_table)
TABLES["changes"] = (
    "Accuracy, less that of clean notes",
    functools.partial(score_table, score="accuracy", change=True),
)


def caption(result):
    """Return sentences about the data, the folds and what was changed."""
    learned_from = result["task"]["settings"].get("learn_from")
    about = "Trained on notes as they are, asked about them changed."
    if learned_from is not None:
        about = f"Trained on changed notes ({learned_from}), asked about all conditions."
    return f"{about} {run.caption(result)}"


def draw(result, path):
    """Draw a map for each score: a row for each condition, a column for each model."""
    models, task = result["models"], result["task"]
    shown = [name for name in SCORES if len(score_table(result, name)) > 1]
    rows = [*CONDITIONS, MEAN]
    height, width = 1.6 + 0.32 * len(rows), 3.2 + (0.9 + 0.62 * len(models)) * len(shown)
    title = f"{task['dataset']}: {describe_data(task['data'])}"
    figure, panels = new_figure(width, height, title, ncols=len(shown), sharey=True)
    for axes, name in zip(np.atleast_1d(panels), shown):
        entries = [entry["conditions"] for entry in models.values()]
        values = np.array([[one[row]["mean"][name] for one in entries] for row in rows], float)
        axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
        for (i, k), value in np.ndenumerate(values):
            colour = "black" if value > 0.6 else "white"
            axes.text(k, i, f"{value:.2f}", ha="center", va="center", color=colour, size=8)
        axes.set_title(SCORES[name])
        axes.set_xticks(range(len(models)), list(models), rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), rows)
    figure.savefig(path)
