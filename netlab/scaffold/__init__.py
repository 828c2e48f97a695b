"""Projects of one's own: a name, the files of a small api, and how they are written.

``netlab new`` is its command line. What a project is made of is in ``template``.
"""

from .project import LONGEST, Project
from .writing import write_project

__all__ = ["LONGEST", "Project", "write_project"]
