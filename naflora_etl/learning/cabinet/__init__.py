"""The cabinet: a trained model for the people who keep sheets; all but the export itself does without torch."""
