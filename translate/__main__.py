"""`python -m translate`: the command where its script is not installed, as on a cluster that was sent the code."""

from translate.cli.app import main

if __name__ == "__main__":
    main()
