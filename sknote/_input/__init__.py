"""What users give: the forms of X, checks of labels and groups, names that were misspelt.

The files are imported one by one, since not all of them can do without scikit-learn.
"""
