"""`python -m initaudit`, and the console script: nothing is imported from the folder that they are called in."""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from initaudit.cli import main

if __name__ == "__main__":
    main()
