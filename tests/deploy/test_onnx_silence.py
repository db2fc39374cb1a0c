"""Notes without any sound, and silence around notes, for an exported pipeline."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from sknote.exceptions import AudioDecodeWarning

RATE = 22050
SILENT = {
    "no sample": np.zeros(0, np.float32),
    "one sample": np.full(1, 0.5, np.float32),
    "one frame of an offset": np.full(300, 0.5),
    "digital silence": np.zeros(9000, np.float32),
    "silence in 16 bit": np.zeros(9000, np.int16),
}


@pytest.mark.filterwarnings("ignore:AudioLoader", "ignore:.*it is empty")
def test_it_answers_and_warns_as_the_pipeline(notes, pipeline, path):
    from sknote.deploy import OnnxNoteClassifier

    exported = OnnxNoteClassifier(path, on_error="warn")
    pipeline = deepcopy(pipeline).set_params(load__on_error="warn")
    audio = pd.Series(SILENT, dtype=object)
    silence = pd.DataFrame({"audio": audio, "instrument": notes.data["instrument"].iloc[0]})
    X = pd.concat([notes.data.iloc[:2], silence])
    with pytest.warns(AudioDecodeWarning, match=r"no sound in rows 2, 3, 4, 5, 6 \(index 'no sam"):
        proba = exported.predict_proba(X)
    with pytest.warns(AudioDecodeWarning, match="NoteClassifier: there is no sound in rows 2"):
        np.testing.assert_allclose(proba, pipeline.predict_proba(X), atol=1e-5)


def test_it_hears_notes_where_they_are(notes, pipeline, exported):
    def around(waveform):
        padded = np.concatenate([np.zeros(RATE // 3), waveform, np.zeros(RATE // 2)])
        return (padded + 1e-4 * rng.standard_normal(len(padded))).astype(np.float32)

    rng = np.random.default_rng(0)
    X = notes.data.iloc[:12]
    X = X.assign(audio=pd.Series([around(one) for one in X["audio"]], index=X.index, dtype=object))
    np.testing.assert_allclose(exported.predict_proba(X), pipeline.predict_proba(X), atol=2e-4)
