"""From light to numbers: camera readings, and signed fields from them."""

from optics.detection.electrons import detect
from optics.detection.passes import Scheme, check_images, part, root
from optics.detection.reference import InField, ReferenceBeam
from optics.detection.schemes import SCHEMES, FieldItself, FourShot, TwoShot, expose, scheme
from optics.signs import Part, Pass

__all__ = [
    "SCHEMES",
    "FieldItself",
    "FourShot",
    "InField",
    "Part",
    "Pass",
    "ReferenceBeam",
    "Scheme",
    "TwoShot",
    "check_images",
    "detect",
    "expose",
    "part",
    "root",
    "scheme",
]
