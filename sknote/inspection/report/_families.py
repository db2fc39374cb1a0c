"""Families of instruments, by the words of their names."""

import re

_FAMILIES = {
    "strings": "violin viola cello violoncello bass contrabass guitar banjo mandolin harp ukulele",
    "woodwind": "flute piccolo recorder clarinet oboe anglais bassoon contrabassoon sax saxophone",
    "brass": "trumpet cornet flugelhorn trombone horn tuba euphonium",
    "percussion": "piano drum marimba xylophone vibraphone glockenspiel bell tree cymbal timpani "
    "triangle tambourine gong woodblock castanets guiro cabasa chimes tom snare block maracas",
}
_OF_WORD = {word: family for family, words in _FAMILIES.items() for word in words.split()}


def family_of(instrument):
    """Return the family of an instrument, such as "brass"; "other" if its name tells none.

    What a name ends with counts most: a bass clarinet is no string instrument, but a ``sax_alto``
    is a saxophone, and an English horn is none of the brass.
    """
    text = str(instrument).casefold()
    words = re.findall(r"[a-z]+", text)
    if {"english", "horn"} <= set(words):
        return "woodwind"
    known = [word for word in words if word in _OF_WORD]
    others = [word for word in known if word != "bass"]  # which also says how low one is
    return _OF_WORD[(others or known)[-1]] if known else "other"
