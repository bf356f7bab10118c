"""Many small classes at 224 by 224 pixels, in the spirit of FSS-1000: ten varied instances of each."""

from hqdata.demo import icons_house as house
from hqdata.demo import icons_tools as tools
from hqdata.demo import icons_world as world
from hqdata.demo import salient_life as life
from hqdata.demo import salient_made as made
from hqdata.demo.compose import Thing

_FLAT = ("flat", "wall", "table", "studio")

ICONS: dict[str, Thing] = {
    "anchor": Thing(draw=tools.anchor, settings=("beach", *_FLAT), half=(0.95, 1.02), tilt=25, footing="lie"),
    "apple": Thing(draw=life.apple, settings=("table", "flat"), half=(0.95, 1), tilt=12),
    "bell": Thing(draw=house.bell, settings=_FLAT, half=(0.9, 1), tilt=10),
    "bottle": Thing(draw=house.bottle, settings=("table", "beach"), half=(0.5, 1.02), tilt=4),
    "bulb": Thing(draw=house.bulb, settings=("night", "studio", "flat"), half=(0.65, 1), tilt=30, footing="fly"),
    "butterfly": Thing(draw=life.butterfly, settings=("bloom", "ground"), half=(1, 1), tilt=40, footing="fly"),
    "cactus": Thing(draw=world.cactus, settings=("table", "room", "beach"), half=(0.7, 1.02)),
    "candle": Thing(draw=house.candle, settings=("table", "night"), half=(0.85, 1.0), footing="stand"),
    "car": Thing(draw=made.car, settings=("street",), half=(1, 0.6)),
    "carrot": Thing(draw=world.carrot, settings=("flat", "table"), half=(0.6, 1), tilt=70, footing="lie"),
    "crescent_moon": Thing(draw=world.crescent, settings=("night", "air"), half=(1, 1), tilt=25, footing="fly"),
    "cup": Thing(draw=made.mug, settings=("table",), half=(1.1, 1)),
    "fish": Thing(draw=life.fish, settings=("undersea",), half=(1, 0.9), tilt=14),
    "flag": Thing(draw=world.flag, settings=("air", "ground"), half=(1.0, 1.02), tilt=3, footing="rise"),
    "guitar": Thing(draw=tools.guitar, settings=("room", "wall", "flat"), half=(0.5, 1.02), tilt=25, footing="lie"),
    "hammer": Thing(draw=tools.hammer, settings=("flat", "wall"), half=(0.8, 1.02), tilt=60, footing="lie"),
    "heart": Thing(draw=world.heart, settings=_FLAT, half=(0.95, 0.98), tilt=20, footing="lie"),
    "horseshoe": Thing(draw=world.horseshoe, settings=("wall", "flat"), half=(0.9, 1), tilt=25, footing="lie"),
    "hot_air_balloon": Thing(draw=made.balloon, settings=("air",), half=(0.8, 1), tilt=5),
    "hourglass": Thing(draw=house.hourglass, settings=("table", "studio"), half=(0.75, 1)),
    "house": Thing(draw=made.house, settings=("ground", "winter"), half=(1, 1)),
    "key": Thing(draw=tools.key, settings=("flat", "wall"), half=(0.6, 1.05), tilt=80, footing="lie"),
    "kite": Thing(draw=world.kite, settings=("air",), half=(0.7, 1.02), tilt=35),
    "ladder": Thing(draw=tools.ladder, settings=("wall", "room"), half=(0.6, 1.05), tilt=12, footing="lie"),
    "leaf": Thing(draw=world.autumn_leaf, settings=("flat", "bloom"), half=(0.9, 1), tilt=70, footing="lie"),
    "mushroom": Thing(draw=life.mushroom, settings=("bloom", "ground"), half=(0.95, 1), tilt=6),
    "pear": Thing(draw=life.pear, settings=("table", "flat"), half=(0.75, 1), tilt=10),
    "pencil": Thing(draw=tools.pencil, settings=("flat", "table"), half=(0.35, 1.02), tilt=70, footing="lie"),
    "ring": Thing(draw=house.ring, settings=("studio", "flat"), half=(0.75, 1.0), tilt=20),
    "sailboat": Thing(draw=made.boat, settings=("water",), half=(1, 1.02), tilt=3),
    "scissors": Thing(draw=tools.scissors, settings=("flat", "wall"), half=(0.6, 1.02), tilt=80, footing="lie"),
    "snowman": Thing(draw=world.snowman, settings=("winter",), half=(0.9, 1.02)),
    "spoon": Thing(draw=tools.spoon, settings=("flat",), half=(0.4, 1.02), tilt=70, footing="lie"),
    "star": Thing(draw=world.gold_star, settings=("night", *_FLAT), half=(1, 1), tilt=35, footing="fly"),
    "umbrella": Thing(draw=house.umbrella, settings=("street", "beach", "room"), half=(1, 1), tilt=14),
}
