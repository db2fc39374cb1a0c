"""Every example runs on its own, warns of nothing, and comes to the conclusion that it tells."""

import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

# Half a minute each where nothing else runs; on a machine with much other work it may be many.
pytestmark = pytest.mark.timeout(900)
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run an example; returns its variables and the pictures that it showed."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    pictures = []

    def show():
        pictures.append(tmp_path / f"{len(pictures)}.png")
        plt.savefig(pictures[-1])
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.chdir(tmp_path)
    with threadpool_limits(1):  # small steps on several threads wait for each other on busy cores
        yield lambda name: (runpy.run_path(str(EXAMPLES / f"{name}.py")), pictures)


def test_every_example_has_a_test():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {
        "plot_a_report_for_a_teacher",
        "plot_explain_a_note",
        "plot_grouped_vs_random_split",
        "plot_hear_a_bad_attack",
        "plot_one_note_three_ways",
        "plot_when_not_to_answer",
        "tune_with_optuna",
    }


@pytest.mark.slow
def test_each_fault_of_a_note_is_heard_for_what_it_is(run):
    found, pictures = run("plot_one_note_three_ways")
    assert found["accuracy"] > 0.9
    classes = found["model"].classes_
    assert [classes[p.argmax()] for p in found["answers"].values()] == [*found["shown"]]
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


@pytest.mark.slow
def test_a_bad_attack_is_heard_in_the_attack(run):
    found, pictures = run("plot_hear_a_bad_attack")
    assert found["accuracy"] > 0.9
    assert found["bad"][0, found["is_bad"]].mean() > 0.9
    assert found["bad"][-1, found["is_bad"]].mean() < 0.3
    assert found["bad"][:, ~found["is_bad"]].mean() < 0.2
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


@pytest.mark.slow
def test_a_random_split_flatters_and_a_grouped_one_does_not(run):
    found, pictures = run("plot_grouped_vs_random_split")
    scores = {name: score.mean() for name, score in found["scores"].items()}
    truth = scores.pop("new performances")
    assert scores["random split"] - truth > 0.1
    assert scores["grouped split"] == pytest.approx(truth, abs=0.05)
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


@pytest.mark.slow
def test_a_search_keeps_players_apart(run):
    found, pictures = run("tune_with_optuna")
    player = found["player"]
    assert not set(player[found["train"]]) & set(player[found["test"]])
    assert found["search"].cv_results_["trial_state"].tolist() == ["COMPLETE"] * 8
    assert found["scores"]["tuned, on the other players"] > 0.7
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


@pytest.mark.slow
def test_answers_are_right_and_what_is_no_note_has_none(run):
    found, pictures = run("plot_when_not_to_answer")
    right, answered = found["right"], found["answered"]
    assert right[answered].mean() >= 0.95
    assert answered.mean() > 0.7
    assert right[answered].mean() > found["plain"]
    answers = found["answers"].answer
    assert (answers[["noise", "clicks", "whispered words"]] == "unknown").all()
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


def highest(explanation, start, stop):
    """The highest importance in a part of a note, as a share of the highest of all of it."""
    times = explanation.times / explanation.times[-1]
    part = explanation.importance[(times[:-1] >= start) & (times[1:] <= stop)]
    return part.max() / explanation.importance.max()


@pytest.mark.slow
def test_a_fault_is_shown_where_it_is(run):
    found, pictures = run("plot_explain_a_note")
    explanations = found["explanations"]
    assert "in the first" in explanations["bad-attack-air"].sentence
    assert highest(explanations["bad-attack-air"], 0.0, 0.4) == 1.0
    assert highest(explanations["bad-attack-too-strong"], 0.0, 0.4) == 1.0
    assert highest(explanations["bad-air-end"], 0.65, 1.0) > 0.4
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]


@pytest.mark.slow
def test_the_surest_answers_are_right_and_the_page_is_there(run):
    found, pictures = run("plot_a_report_for_a_teacher")
    assert 0.8 < np.mean(found["answers"] == found["notes"].target) < 0.97
    assert found["half"] < 0.03 < found["risk"].risk[-1]
    assert "By instrument" in found["path"].read_text(encoding="utf-8")
    assert [picture.stat().st_size > 10_000 for picture in pictures] == [True]
