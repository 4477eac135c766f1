"""`make bench`: how fast transfers are over HTTP, beside the same SQL alone and beside a usual DRF project."""
