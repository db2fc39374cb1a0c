"""A picture of a result of ``tune``, made of the figures that Optuna draws."""

import warnings

import numpy as np

from benchmarks.cache import write_atomic
from benchmarks.tune_results import as_study

COLUMNS = 3
WIDTH, HEIGHT = 5.6, 3.8  # of a figure, in inches


def plot(result, path):
    """Draw the history of all searches, and the importance of parameters in each, into a PNG file.

    Parameters
    ----------
    result : dict
        As read from a result's file.
    path : Path
    """
    import matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator
    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.visualization.matplotlib import plot_optimization_history, plot_param_importances

    settings = result["task"]["settings"]
    studies = [
        as_study(f"outer fold {fold['fold']}", fold["trials"], result["space"])
        for fold in result["folds"]
    ]
    # Optuna draws by pyplot and sets its style: neither is left as it was found otherwise
    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    try:
        with plt.style.context("default"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            axes = plot_optimization_history(
                studies, target_name=f"inner {settings['scoring'].replace('_', ' ')}"
            )
            axes.set_title(
                f"{result['task']['dataset']}, {result['model']}: trials of {len(studies)} outer "
                "folds"
            )
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            pictures = [_pixels(axes.figure, COLUMNS * WIDTH, 1.25 * HEIGHT)]
            row = []
            for fold, study in zip(result["folds"], studies):
                if not fold["importance"]:
                    continue
                evaluator = FanovaImportanceEvaluator(seed=settings["seed"])
                axes = plot_param_importances(study, evaluator=evaluator)
                axes.set_title(f"importance, {study.study_name}", loc="left")
                axes.margins(x=0.15)  # for the numbers at the bars
                axes.set_ylabel("")
                axes.get_legend().remove()
                labels = [label.get_text() for label in axes.get_yticklabels()]
                axes.set_yticks(axes.get_yticks(), [text.split("__")[-1] for text in labels])
                row.append(_pixels(axes.figure, WIDTH, HEIGHT))
            blank = np.full_like(row[0], 255) if row else None
            while row:
                line, row = row[:COLUMNS], row[COLUMNS:]
                pictures.append(np.hstack(line + [blank] * (COLUMNS - len(line))))
    finally:
        plt.switch_backend(backend)
    whole = np.vstack(pictures)
    write_atomic(path, lambda temporary: plt.imsave(temporary, whole, format="png"))


def _pixels(figure, width, height):
    from matplotlib import pyplot as plt

    figure.set_size_inches(width, height)
    figure.set_dpi(100)
    figure.set_layout_engine("tight")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close(figure)
    return pixels
