"""What a transfer between wallets usually looks like with Django REST framework: the benchmark's baseline.

Model serializers, the ORM, `select_for_update` inside `atomic`, simplejwt as it comes, DRF's own throttle on
Redis, a unique idempotency key, one log line for each request: the same promises, kept in the usual way.
"""
