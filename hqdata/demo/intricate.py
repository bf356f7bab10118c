"""Intricate man-made objects in the spirit of DIS5K: large pictures, many holes and thin members."""

from hqdata.demo import intricate_built as built
from hqdata.demo import intricate_kept as kept
from hqdata.demo.compose import Thing

INTRICATE: dict[str, Thing] = {
    "basket": Thing(draw=kept.basket, settings=("table", "ground"), half=(0.98, 1.02)),
    "birdcage": Thing(draw=kept.birdcage, settings=("room", "table"), half=(0.7, 1.02)),
    "bridge": Thing(draw=built.bridge, settings=("water",), half=(1.05, 0.6)),
    "chair": Thing(draw=kept.chair, settings=("room", "room", "ground"), half=(0.75, 1.05)),
    "chandelier": Thing(draw=kept.chandelier, settings=("room", "night"), half=(1, 0.95), footing="hang"),
    "clockwork": Thing(draw=kept.clockwork, settings=("flat", "studio"), half=(1.0, 0.95), tilt=40, footing="lie"),
    "gate": Thing(draw=built.gate, settings=("ground", "bloom"), half=(1.02, 1.0)),
    "handbag": Thing(draw=kept.handbag, settings=("table", "room"), half=(0.95, 1.0)),
    "pavilion": Thing(draw=built.pavilion, settings=("ground", "winter"), half=(1.02, 1.02)),
    "ship": Thing(draw=built.ship, settings=("water",), half=(1.02, 1.03)),
    "tower": Thing(draw=built.tower, settings=("skyline", "air", "street"), half=(0.6, 1.03), footing="rise"),
    "windmill": Thing(draw=built.windmill, settings=("ground", "air"), half=(0.75, 1.1), footing="stand"),
}
