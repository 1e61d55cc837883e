"""The laws of the core and of the engines: exhaustive, or with hypothesis."""
