"""One HTML file that says how good a model is, and for which notes: tables, pictures, the page."""

from sknote.inspection.report._write_report import write_report

__all__ = ["write_report"]
