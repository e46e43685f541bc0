"""The language server: the findings of `check` while a project is edited. It never builds a model.

Discovery, settings, suppressions and fixes are those of a run in the project's folder; this package handles documents,
positions and scheduling. Needs pygls, which nothing else imports.
"""
