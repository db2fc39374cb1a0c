"""How the good-sounds data set spells its labels, and the one spelling that sknote makes of each.

The labels (``klass``) of the data set [1]_ say a quality, an aspect and something specific, mostly
in that order: ``bad-attack-tongue-block``. Where they do not, the rules below apply; each says so,
and none loses what was typed:

=============================  =================================  ========================
typed                          becomes                            why
=============================  =================================  ========================
``bad-dynamic-stability``      ``bad-dynamics-stability``         the word used elsewhere
``bad-stability-timbre``       ``bad-timbre-stability``           the order used elsewhere
``good-attack-accent>``        ``good-attack-accent``             ``>`` is the sign of one
``good-attack-accent^``        ``good-attack-marcato``            ``^`` is the sign of one
``air-outside``                ``unspecified-air-outside``        no quality is stated
``bridge``                     ``unspecified-bow-bridge``         a violin tag: the bow
``sul-tasto``                  ``unspecified-bow-sultasto``       one word elsewhere
``sul-ponticello``             ``unspecified-bow-ponticello``     the same as ``ponticello``
``scale-good-minor``           ``good-sound-scale-minor``         a scale as a whole
``scale-bad-timbre-staccato``  ``bad-timbre-scale-staccato``      a scale's timbre
``bad-air bad-richness-pato``  ``bad-several-air+richness-pato``  two faults, one value
(empty)                        ``unspecified``                    nothing is stated
=============================  =================================  ========================

A missing quality stays missing: whether air outside the tube is a fault is for the user to say.

References
----------
.. [1] O. Romani Picas et al., "A real-time system for measuring sound goodness in instrumental
   sounds", 138th AES Convention, 2015.
"""

import re

from sknote.labels._levels import UNSPECIFIED
from sknote.labels._usual import QUALITIES

COMPOUNDS = ("pitch-stability", "dynamics-stability", "timbre-stability")
_ASPECTS = {"attack", "pitch", "dynamics", "timbre", "richness", "air", "sound"}
_STABLE = {"pitch", "dynamics", "timbre"}
_BOWING = {"bridge", "ponticello", "sultasto", "pressure", "rebound", "dirt"}
_SCALE_ASPECTS = {*_ASPECTS, "bow"}
_SPELLINGS = {"dynamic": "dynamics", "accent>": "accent", "accent^": "marcato"}
_AFTER_SUL = {"tasto": "sultasto", "ponticello": "ponticello"}


def normalize_good_sounds(label):
    """Spell a label of good-sounds as quality, aspect and specific.

    What comes back is the label in one spelling (normalizing it again changes nothing); what was
    done, in words, or ``"as spelled"``; and True where no rule knows the label and it was taken as
    it stands.

    >>> normalize_good_sounds("bad-stability-timbre")
    ('bad-timbre-stability', "'stability-timbre' read as 'timbre-stability'", False)
    """
    # A sign belongs to the word before it, also where a blank was typed in between.
    words = re.split(r"[-_\s,;]+", re.sub(r"\s+(?=[>^])", "", label.strip().lower()))
    words = [word for word in words if word]
    if not words:
        return UNSPECIFIED, "empty", False
    if words[0] == UNSPECIFIED:
        return "-".join(words), "as spelled", False

    remarks = []
    words = _respell(words, remarks)
    is_scale = words[0] == "scale"
    if is_scale:
        remarks.append("a scale")
        words = words[1:]
    claims = _split_claims(words)
    stated = {quality for quality, _ in claims if quality}
    bodies = [_spell_body(rest, is_scale, remarks) for _, rest in claims]

    quality = stated.pop() if len(stated) == 1 else UNSPECIFIED
    doubtful = False
    if stated:
        bodies = ["-".join(filter(None, [q, body])) for (q, _), body in zip(claims, bodies)]
        remarks.append("both good and bad are stated")
        doubtful = True
    elif quality == UNSPECIFIED:
        remarks.append("no quality is stated")
        doubtful = not is_scale and claims[0][1][0] not in _ASPECTS | _BOWING
    bodies = sorted(set(filter(None, bodies)))
    if len(bodies) > 1:
        remarks.append(f"{len(bodies)} statements in one value")
        bodies = ["several", "+".join(bodies)]
    normalized = "-".join([quality, *bodies])
    if normalized != label and not remarks:
        remarks.append("blanks, letter case or repeated words")
    return normalized, "; ".join(remarks) or "as spelled", doubtful


HIERARCHY = {
    "compounds": COMPOUNDS,
    "orders": {"quality": QUALITIES},
    "normalize": normalize_good_sounds,
}


def _respell(words, remarks):
    """Use one word for one thing, and put ``stability`` after what is stable."""
    words = _join_sul(words, remarks)
    for word in words:
        if word in _SPELLINGS:
            remarks.append(f"'{word}' read as '{_SPELLINGS[word]}'")
    words = [_SPELLINGS.get(word, word) for word in words]
    for i in range(len(words) - 1):
        first, second = words[i : i + 2]
        if first == "stability" and second in _STABLE and not _STABLE & set(words[:i]):
            remarks.append(f"'{first}-{second}' read as '{second}-{first}'")
            words[i : i + 2] = second, first
    return words


def _join_sul(words, remarks):
    """Write ``sul-tasto`` as one word, and ``sul-ponticello`` without the first."""
    joined = []
    for word in words:
        if word in _AFTER_SUL and joined[-1:] == ["sul"]:
            remarks.append(f"'sul-{word}' read as '{_AFTER_SUL[word]}'")
            while joined[-1:] == ["sul"]:
                joined.pop()
            word = _AFTER_SUL[word]
        joined.append(word)
    return joined


def _split_claims(words):
    """Split at each quality: a list of (quality or None, the words that follow it)."""
    claims = [] if words and words[0] in QUALITIES else [(None, [])]
    for word in words:
        if word in QUALITIES:
            claims.append((word, []))
        else:
            claims[-1][1].append(word)
    return claims


def _spell_body(words, is_scale, remarks):
    """Aspect and specific of one claim."""
    if words and words[0] in _BOWING:
        remarks.append(f"'{words[0]}' is about the bow")
        words = ["bow", *words]
    if is_scale:
        if "-".join(words[:2]) in COMPOUNDS:
            n_aspect = 2
        else:
            n_aspect = int(bool(words) and words[0] in _SCALE_ASPECTS)
        words = [*(words[:n_aspect] or ["sound"]), "scale", *words[n_aspect:]]
    return "-".join(words)
