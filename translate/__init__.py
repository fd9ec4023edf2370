"""Image-to-image translation, from bucket to bucket: models, training, batch jobs, evaluation."""

__version__ = "0.1.0"
