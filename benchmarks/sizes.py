"""Cross-validate models that learn from few notes, and from more: whole groups are drawn."""
