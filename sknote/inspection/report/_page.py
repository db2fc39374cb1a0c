"""From tables and pictures to one HTML page that needs nothing else."""

import base64
import html
import io
import re
import warnings
from importlib import resources
from numbers import Integral, Real

import numpy as np

from sknote._files import Kind

_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
    '<link rel="icon" href="data:,">'
)
REPORT = Kind("a report", re.compile(re.escape(_HEAD.encode())))


def make_page(title, texts, numbers, pictures, tables, notes):
    """Return the page, a string.

    `texts` are sentences below the title, `numbers` name → text, `pictures` pairs of a caption and
    a figure of matplotlib, and `notes` are HTML.
    """
    style, script = (
        resources.files("sknote.inspection.report").joinpath(name).read_text(encoding="utf-8")
        for name in ("report.css", "report.js")
    )
    sections = [("Pictures", "".join(_picture(*one) for one in pictures))]
    sections += [(table.title, _table(table)) for table in tables]
    if notes:
        sections.append(
            ("Notes heard wrongly, the surest first", f'<div class="notes">{"".join(notes)}</div>')
        )
    links = "".join(f'<a href="#s{i}">{escape(name)}</a>' for i, (name, _) in enumerate(sections))
    body = "".join(
        f'<section id="s{i}"><h2>{escape(name)}</h2>{content}</section>'
        for i, (name, content) in enumerate(sections)
    )
    cards = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in numbers.items()
    )
    return (
        f"{_HEAD}<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{''.join(f'<p>{escape(one)}</p>' for one in texts)}"
        f'<dl class="cards">{cards}</dl><nav aria-label="Sections">{links}</nav></header>'
        f"<main>{body}</main><script>{script}</script></body></html>\n"
    )


def escape(value):
    """Return text that a page shows as it is, whatever characters it has."""
    text = str(value).encode("utf-8", "replace").decode("utf-8")  # names of files may be no text
    return html.escape(text, quote=True)


def image(figure, text, kind="drawn"):
    """Return a figure of matplotlib as a picture within the page, and close it.

    One that is "drawn" on white is shown on black in the dark; others stay as they are.
    """
    from matplotlib import pyplot

    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the tables have such names
        figure.savefig(held, format="png", dpi=110, facecolor="white")
    pyplot.close(figure)
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return f'<img class="{kind}" alt="{escape(text)}" src="data:image/png;base64,{data}">'


def sound(waveform, sample_rate):
    """Return a player of a waveform, as 16-bit WAV within the page, brought to full scale."""
    import soundfile

    peak = float(np.abs(waveform).max(initial=0.0)) or 1.0
    held = io.BytesIO()
    soundfile.write(held, np.asarray(waveform) / peak * 0.9, sample_rate, "PCM_16", format="WAV")
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return f'<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'


def _picture(caption, figure):
    wide = ' class="wide"' if figure.get_figwidth() > 7 else ""  # a phone shows it by scrolling
    picture = f'<div class="picture" tabindex="0" role="region" aria-label="{escape(caption)}">'
    picture += f"{image(figure, caption)}</div>"
    return f"<figure{wide}>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(table):
    frame = table.frame.reset_index()
    heads = "".join(
        f'<th scope="col"{" class=number" * _is_number(frame[name].iloc[0])}>'
        f'<button type="button">{escape(str(name).replace("_", " "))}</button></th>'
        for name in frame.columns
    )
    rows = "".join(
        "<tr>"
        + "".join(_cell(value, name, table.shares) for name, value in zip(frame, row))
        + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    text = f"<p>{escape(table.text)}</p>" if table.text else ""
    return (
        f'{text}<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _cell(value, name, shares):
    if _is_number(value):
        if np.isnan(value):
            return '<td class="number" data-value=""></td>'
        if name in shares:
            width = f"{100 * float(np.clip(value, 0, 1)):.0f}%"
            style = f'class="number share" style="--share:{width}"'
            return f'<td {style} data-value="{value:.6g}">{value:.3f}</td>'
        text = f"{value:,}" if isinstance(value, Integral) else f"{value:g}"
        return f'<td class="number" data-value="{value:.9g}">{text}</td>'
    return f"<td>{escape(value)}</td>"
