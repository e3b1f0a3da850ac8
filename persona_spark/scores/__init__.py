"""Scores of users: RFM quintiles with named segments, and the lifecycle stage."""
