"""``hqdata variants``: what can be added to a frozen SAM."""

import typer

from hqdata.cli.show import Json, console, print_json, print_table
from hqdata.cli.train import require_torch


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("variants")(variants)


def variants(json: Json = False) -> None:
    """List the variants that `hqdata train` knows, with the weights that each trains on SAM's published sizes.

    Example: `hqdata variants`
    """
    require_torch()
    from hqdata.training.size import SIZES  # noqa: PLC0415 - torch is slow to import, and an extra
    from hqdata.training.variants.registry import VARIANTS  # noqa: PLC0415 - the same

    rows = [
        {"name": variant.name, "title": variant.title, **{name: variant.trained(size) for name, size in SIZES.items()}}
        for variant in VARIANTS.values()
    ]
    if json:
        print_json(rows)
        return
    columns = ("name", "title", *(f"{name}#" for name in SIZES))
    print_table("Variants, and the weights that they train", columns, [tuple(row.values()) for row in rows])
    console().print("`hqdata train --variant NAME` trains one.")
