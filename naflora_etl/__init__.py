"""naflora_etl: from a checklist to a published dataset of herbarium sheets, and models trained on it."""

__version__ = "0.1.0"
