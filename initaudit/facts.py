"""Where facts were before each family got a file of its own."""

from initaudit.observation import *  # noqa: F403
from initaudit.subjects.base import *  # noqa: F403
from initaudit.subjects.builds import *  # noqa: F403
from initaudit.subjects.calls import *  # noqa: F403
from initaudit.subjects.files import *  # noqa: F403
from initaudit.subjects.layers import *  # noqa: F403
from initaudit.subjects.loops import *  # noqa: F403
from initaudit.subjects.lost_on_meta import *  # noqa: F403
from initaudit.subjects.lost_writes import *  # noqa: F403
from initaudit.subjects.module_tests import *  # noqa: F403
from initaudit.subjects.order import *  # noqa: F403
from initaudit.subjects.weights import *  # noqa: F403
