"""`python -m deepfake` is the `deepfake` command."""

from deepfake.cli import main

if __name__ == "__main__":
    main()
