"""Where the checkout and the shared data are."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
SHARED_DATA = CHECKOUT.parent / "shared" / "data"
