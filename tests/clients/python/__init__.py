"""One program for each family of Python clients."""
