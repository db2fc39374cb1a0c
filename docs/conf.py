"""How Sphinx builds the documentation: ``python -m sphinx -W -b html docs docs/_build/html``."""

import os
import shutil
import warnings
from pathlib import Path

import sknote

# Threads that wait without turning leave a busy machine to the examples.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The page of a name that is gone would stand in no table of contents.
shutil.rmtree(Path(__file__).parent / "api" / "generated", ignore_errors=True)

project = "sknote"
author = "the sknote developers"
copyright = author
release = sknote.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst", "sg_execution_times.rst", "**/sg_*.rst"]
# A name in single backticks is a link if there is such an object, and code if not.
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
# The members are listed by the template of classes, without those that a base class brings.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",  # all of them are run
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": "sknote",
    "reference_url": {"sknote": None},
    "download_all_examples": False,
    "show_memory": False,
    "capture_repr": (),
    "show_signature": False,
    "min_reported_time": 1,
    "write_computation_times": False,
    "matplotlib_animations": False,
}
# The figures are drawn to be saved; there is no window to show them in.
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")


def leave_out_request_methods(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to each class; its docstrings refer to its own pages."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def setup(app):
    app.connect("autodoc-skip-member", leave_out_request_methods)


html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_title = f"sknote {release}"
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sknote"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["sphinx-version"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "navigation_depth": 2,
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {"index": [], "contributing": []}
