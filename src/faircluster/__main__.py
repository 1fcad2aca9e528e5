"""``python -m faircluster``."""

from faircluster.cli import main

if __name__ == "__main__":
    main(prog_name="faircluster")
