"""Thin objects in the spirit of ThinObject-5K: composed on photo-like backgrounds, the alpha kept soft."""

from hqdata.demo import thin_made as made
from hqdata.demo import thin_nature as nature
from hqdata.demo.compose import Thing

THIN: dict[str, Thing] = {
    "ant": Thing(draw=nature.ant, settings=("flat", "wall"), half=(0.95, 1), tilt=180, footing="lie"),
    "antenna": Thing(draw=made.antenna, settings=("skyline", "air"), half=(1, 1), footing="rise"),
    "bare_tree": Thing(draw=nature.bare_tree, settings=("winter", "ground"), half=(0.95, 1.02)),
    "bicycle": Thing(draw=made.bicycle, settings=("street", "ground", "room"), half=(1.02, 0.66)),
    "dandelion": Thing(draw=nature.dandelion, settings=("bloom", "night"), half=(0.85, 1.0), footing="rise"),
    "dragonfly": Thing(draw=nature.dragonfly, settings=("bloom", "flat"), half=(1.02, 1), tilt=50, footing="fly"),
    "feather": Thing(draw=nature.feather, settings=("flat", "studio"), half=(0.55, 1), tilt=60, footing="lie"),
    "fence": Thing(draw=made.fence, settings=("ground", "street"), half=(1, 1)),
    "fern": Thing(draw=nature.fern, settings=("bloom", "studio"), half=(0.85, 1)),
    "ferris_wheel": Thing(draw=made.ferris_wheel, settings=("skyline",), half=(0.86, 1.0)),
    "fish_bones": Thing(draw=nature.fish_bones, settings=("flat",), half=(1, 0.5), tilt=25, footing="lie"),
    "pylon": Thing(draw=made.pylon, settings=("air", "ground"), half=(0.8, 1.02), footing="rise"),
    "racquet": Thing(draw=made.racquet, settings=("flat", "wall"), half=(0.55, 1.02), tilt=60, footing="lie"),
    "spectacles": Thing(draw=made.spectacles, settings=("flat", "wall"), half=(1, 0.75), tilt=30, footing="lie"),
    "umbrella_frame": Thing(draw=made.umbrella_frame, settings=("street", "room", "shore"), half=(1, 1), tilt=15),
    "weather_vane": Thing(draw=made.weather_vane, settings=("air", "skyline"), half=(1, 1.02)),
    "web": Thing(draw=nature.web, settings=("bloom", "night"), half=(1.02, 1.02), footing="fly"),
    "wheat": Thing(draw=nature.wheat, settings=("air", "ground", "bloom"), half=(0.75, 1.05), footing="rise"),
}
