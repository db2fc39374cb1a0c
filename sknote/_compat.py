"""Every private name of other packages that sknote uses, in this one place.

A name in `PATHS` is imported when it is first asked for, as in ``from sknote._compat import
Interval``; importing this module imports nothing. Private attributes of public objects have a
function each. scikit-learn 1.9, Optuna 5, joblib 1.6 and torch 2.13 have no public name for any of
these; when one moves, this file is what has to change.

`OptunaSearch` and its journal also inherit from classes of scikit-learn and Optuna, and use or
replace private methods of these under ``self``.
"""

from sknote._lazy import find

# Names without the underscore that they have at home.
PATHS = {
    "BaseHeartbeat": "optuna.storages._heartbeat.BaseHeartbeat",
    "BaseSearchCV": "sklearn.model_selection._search.BaseSearchCV",
    "DaskDistributedBackend": "joblib._dask.DaskDistributedBackend",
    "HasMethods": "sklearn.utils._param_validation.HasMethods",
    "Interval": "sklearn.utils._param_validation.Interval",
    "LazyRandomState": "optuna.samplers._lazy_random_state.LazyRandomState",
    "StrOptions": "sklearn.utils._param_validation.StrOptions",
    "check_feature_names": "sklearn.utils.validation._check_feature_names",
    "check_feature_names_in": "sklearn.utils.validation._check_feature_names_in",
    "check_method_params": "sklearn.utils.validation._check_method_params",
    "check_sample_weight": "sklearn.utils.validation._check_sample_weight",
    "fit_and_score": "sklearn.model_selection._validation._fit_and_score",
    "fit_context": "sklearn.base._fit_context",
    "insert_error_scores": "sklearn.model_selection._validation._insert_error_scores",
    "is_amx_tile_supported": "torch.cpu._is_amx_tile_supported",
    "is_avx512_bf16_supported": "torch.cpu._is_avx512_bf16_supported",
    "is_heartbeat_enabled": "optuna.storages._heartbeat.is_heartbeat_enabled",
    "num_samples": "sklearn.utils.validation._num_samples",
    "safe_indexing": "sklearn.utils._indexing._safe_indexing",
    "warn_or_raise_about_fit_failures": (
        "sklearn.model_selection._validation._warn_or_raise_about_fit_failures"
    ),
}


def __getattr__(name):
    if name in PATHS:
        return find(PATHS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def storage_of(study):
    """Return the storage of a study of Optuna."""
    return study._storage


def all_trials(study):
    """Return all trials of a study, not only those that its pruner shows to its sampler."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def id_of(trial):
    """Return the number of a trial in its storage, where many studies may be."""
    return trial._trial_id


def id_of_study(study):
    """Return the number of a study in its storage."""
    return study._study_id


def forget_trials(study):
    """Let a study read its trials anew when it is asked for them, as it does once a trial."""
    study._thread_local.cached_all_trials = None


def scorers_by_name(scorer):
    """Return the scorers that scikit-learn made one of, by name; None of a single one."""
    return getattr(scorer, "_scorers", None)


def output_container(estimator):
    """Return what ``set_output`` has made a transformer give back; None if it was not called."""
    return getattr(estimator, "_sklearn_output_config", {}).get("transform")


def read_frames(sound, out):
    """Fill an array of shape (n_frames, n_channels), float32, int32 or int16, from a SoundFile.

    Returns how many frames came, 0 at the end, and the number of the error that ended it, 0 if none
    did. `SoundFile.read` seeks after each read, which loses what a decoder knows of the frames
    before, and where there is an error does not give what came before it.
    """
    from soundfile import _ffi, _snd

    if out.dtype == "int16":
        n_read = _snd.sf_readf_short(sound._file, _ffi.from_buffer("short[]", out), len(out))
    elif out.dtype == "int32":
        n_read = _snd.sf_readf_int(sound._file, _ffi.from_buffer("int[]", out), len(out))
    else:
        n_read = _snd.sf_readf_float(sound._file, _ffi.from_buffer("float[]", out), len(out))
    return n_read, sound._errorcode


def boosting_parts(model):
    """Return what a fitted HistGradientBoostingClassifier has learned, in plain values.

    ``trees`` has one list for each iteration, of one triple for each output: nodes, and the
    bitsets of raw and of binned categories. ``categories`` are those of its one column of
    categories, or None if there is none.
    """
    categories = None
    if model._preprocessor is not None:
        categories = model._preprocessor.named_transformers_["encoder"].categories_[0].tolist()
    return {
        "trees": [
            [(one.nodes, one.raw_left_cat_bitsets, one.binned_left_cat_bitsets) for one in trees]
            for trees in model._predictors
        ],
        "baseline": model._baseline_prediction,
        "categories": categories,
        "seed": model._random_seed,
        "weighted": getattr(model, "_fitted_with_sw", False),
    }


def restore_boosting(model, X, classes, *, trees, baseline, seed, weighted):
    """Make a HistGradientBoostingClassifier a fitted one, of what :func:`boosting_parts` gave.

    X is a table of its columns in which each category comes once; nodes are a dict of the arrays
    of their fields. Nothing of it is checked.
    """
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.metrics import check_scoring

    def predictor(fields, raw, binned):
        nodes = np.zeros(len(fields["value"]), dtype=PREDICTOR_RECORD_DTYPE)
        for name, values in fields.items():
            nodes[name] = values
        return TreePredictor(nodes, binned, raw)

    encoded, categories = model._preprocess_X(X, reset=True)
    model._encode_y(classes)
    model._n_features = n_features = encoded.shape[1]
    is_category = model._is_categorical_remapped
    mapper = _BinMapper(model.max_bins + 1, is_categorical=is_category, known_categories=categories)
    mapper.is_categorical_ = np.zeros(n_features, dtype=np.uint8)
    if is_category is not None:
        mapper.is_categorical_[:] = is_category
    mapper.bin_thresholds_ = categories or [None] * n_features  # those of numbers, `fit` makes anew
    mapper.missing_values_bin_idx_ = model.max_bins
    model._bin_mapper = mapper
    model._loss = model._get_loss(sample_weight=None)
    model._baseline_prediction = baseline
    model._predictors = [[predictor(*tree) for tree in one] for one in trees]
    model._random_seed = np.uint64(seed)
    model._feature_subsample_rng = np.random.default_rng(seed)
    model._use_validation_data = model.validation_fraction is not None
    model._scorer = None if model.scoring == "loss" else check_scoring(model, model.scoring)
    if weighted:
        model._fitted_with_sw = True
