"""Labelled corpora: layouts, manifest, splits, crop shards and held-out sets."""
