"""How Open Wallet is started, on a developer's machine and elsewhere."""
