"""Looking at a feature of conf/features.yaml, a just added one too: its columns in numbers, and some users."""

from persona_spark.preview.preview import SAMPLE, Preview, preview_feature

__all__ = ["SAMPLE", "Preview", "preview_feature"]
