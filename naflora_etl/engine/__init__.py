"""The engine: runs stages, knows no botany."""
