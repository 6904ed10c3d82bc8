"""Extract from a medium what detectors work on: sampled frames, faces, tracks, crops."""
