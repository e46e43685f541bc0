"""What a project says of an attribute of a class outside of that class."""

from __future__ import annotations

from initaudit.analyzer.file.reading import Search
from initaudit.analyzer.project.names import Defined, Project

OF_LAYERS = {"weight", "bias"}
"""Attributes that torch's layers have too: only a file that names the class may mean its own."""


def spoken_of_elsewhere(project: Project, cls: Defined, name: str) -> bool:
    """Whether other code of the project may use an attribute of a class.

    It names an attribute of some object so, has the name in a string, or is a class that derives from this one.
    """
    for filename in project.find(Search(cls.module.project_folder, word=name.encode())):
        module = project.load(filename)
        if module is None:
            return True
        if name in OF_LAYERS and not any(module.parts_naming(cls.definition.name)):
            continue
        for start, end in module.parts_naming(name):
            inside = module is cls.module and start <= cls.definition.start <= end
            usage = module.usage_of(start, end)
            derives = cls.definition.name in usage.names and name in usage.own
            if not inside and (usage.of_others(name) or name in usage.texts or derives):
                return True
    return False
