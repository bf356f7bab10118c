"""Salient objects in the spirit of ECSSD, MSRA10K and DUTS: one thing that stands out, 300 to 400 pixels."""

from hqdata.demo import salient_life as life
from hqdata.demo import salient_made as made
from hqdata.demo.compose import Thing

SALIENT: dict[str, Thing] = {
    "apple": Thing(draw=life.apple, settings=("table", "flat"), half=(0.95, 1), tilt=12),
    "balloon": Thing(draw=made.balloon, settings=("air",), half=(0.8, 1), tilt=5),
    "bird": Thing(draw=life.bird, settings=("bloom",), half=(1, 0.95), tilt=6, footing="fly"),
    "boat": Thing(draw=made.boat, settings=("water",), half=(1, 1.02), tilt=3),
    "butterfly": Thing(draw=life.butterfly, settings=("bloom", "flat"), half=(1, 1), tilt=40, footing="fly"),
    "car": Thing(draw=made.car, settings=("street",), half=(1, 0.54)),
    "cat": Thing(draw=life.cat, settings=("room", "ground", "table"), half=(0.9, 1.02)),
    "fish": Thing(draw=life.fish, settings=("undersea",), half=(1, 0.85), tilt=14),
    "flower": Thing(draw=life.flower, settings=("bloom", "ground"), half=(0.75, 1), tilt=6),
    "house": Thing(draw=made.house, settings=("ground", "winter"), half=(1, 1)),
    "lighthouse": Thing(draw=made.lighthouse, settings=("shore",), half=(0.7, 1.02)),
    "mug": Thing(draw=made.mug, settings=("table",), half=(1.1, 1)),
    "mushroom": Thing(draw=life.mushroom, settings=("bloom", "bloom", "ground"), half=(0.95, 1), tilt=6),
    "pear": Thing(draw=life.pear, settings=("table", "flat"), half=(0.75, 1), tilt=10),
    "teapot": Thing(draw=made.teapot, settings=("table",), half=(1.05, 0.95)),
}
