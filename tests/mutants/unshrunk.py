"""A plugin of pytest's: hypothesis says at once that a law is broken.

To look for the smallest example takes minutes, and here nobody reads it.
"""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("unshrunk", phases=[Phase.explicit, Phase.generate])
settings.load_profile("unshrunk")
