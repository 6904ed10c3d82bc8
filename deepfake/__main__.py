"""`python -m deepfake` is the `deepfake` command."""

import os

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    # Else pydantic reads what every installed package says of itself, in every process.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Imported here: media workers import the script that started the program, and not the program.
    from deepfake.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
