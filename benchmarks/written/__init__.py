"""Models written as users write them from papers, for ``written_models.py``: one file for each field."""
