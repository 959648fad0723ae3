"""Data sets: `sources` knows the public ones and reads their files, `images` checks and selects images and labels."""
