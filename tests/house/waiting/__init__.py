"""What a coming version might bring, for tests of migrating."""
