"""`python -m regard` is `regard`."""

from regard.cli import program

if __name__ == "__main__":
    program()
