"""`python -m naflora_etl` is `naflora`."""

from naflora_etl.cli import main

if __name__ == "__main__":
    main()
