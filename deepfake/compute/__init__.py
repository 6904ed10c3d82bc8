"""Worker processes, networks on the CPU with OpenVINO, and the process that owns a GPU."""
