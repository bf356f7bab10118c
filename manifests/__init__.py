"""Manifests: one TOML a source, one a recipe. Data only; ``hqdata.manifest`` reads them."""
