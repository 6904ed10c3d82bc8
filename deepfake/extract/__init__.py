"""One medium to what a detector looks at: frames, faces, tracks, crops."""
