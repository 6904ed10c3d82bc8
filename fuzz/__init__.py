"""Fuzzing: files as a stranger would send them, until something gives way.

Each module is a program, `python -m fuzz.NAME`, that takes libFuzzer's options and goes on until it
finds something or is stopped (`-max_total_time=600` for ten minutes). What may come out of the code
under test is an error of this project; a crash, any other exception, memory over
`-rss_limit_mb`, a file opened elsewhere, a pickle, a process or a connection is a finding, and the
input that did it is kept under `data/fuzz/NAME`.

`make fuzz` runs all of them, ten minutes each.
"""
