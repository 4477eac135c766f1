"""Settings: `base` holds what all share; `local`, `test` and `production` say how they differ."""
