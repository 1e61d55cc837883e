"""Tests over real sockets, processes and clients."""
