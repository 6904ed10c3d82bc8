"""Networks that tell spoofed speech from real, and their conversion."""
