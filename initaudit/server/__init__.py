"""The language server: what `check` says of a project, while it is edited. It reads only, and never builds a model.

Discovery, settings, suppressions and fixes are those of a run in the folder of the project; here are documents,
positions and turns. Needs pygls, which nothing else imports.
"""
