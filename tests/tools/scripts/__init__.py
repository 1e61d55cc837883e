"""A script for each tool: it uses the tool and looks at what came of it.

Arguments are host and port of a server that is empty. Most of them run in an environment that holds
the tool and nothing of ours, so they import nothing of ours.
"""
