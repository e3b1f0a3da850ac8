"""KMeans segments: training with evidence, frozen models, assignment, persona cards."""
