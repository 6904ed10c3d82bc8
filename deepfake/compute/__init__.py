"""Where the work is done: media workers, OpenVINO on the CPU, and the process that owns a GPU."""
