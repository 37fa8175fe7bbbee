"""`python -m syncs.cli` is the command `syncline`."""

from syncs.cli import main

if __name__ == "__main__":
    main()
