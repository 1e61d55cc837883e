"""The version, alone in its file so that a build can read it without importing the package."""

VERSION = "0.1.0"
