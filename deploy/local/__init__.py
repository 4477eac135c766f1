"""The launcher behind `make run` and `make test`: standard library only, as it runs before anything is installed."""
