"""Fuzzing: read mutated files as an attacker could send them.

Each module is a program, `python -m fuzz.NAME`. It takes libFuzzer's options and runs until it
finds something or is stopped (`-max_total_time=600` for ten minutes). The code under test may only
raise this project's errors. A crash, any other exception, memory over `-rss_limit_mb`, a file
opened elsewhere, a pickle, a process or a connection is a finding; its input is kept under
`data/fuzz/NAME`.

`make fuzz` runs all of them, ten minutes each.
"""
