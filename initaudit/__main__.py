"""`python -m initaudit`, and the console script."""

from initaudit.cli import main

if __name__ == "__main__":
    main()
