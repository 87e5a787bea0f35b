"""From light to numbers: what a camera reads, and how readings become signed sums again."""

from optics.detection.electrons import detect
from optics.detection.expose import expose
from optics.detection.passes import Scheme, check_images, part
from optics.detection.reference import InField, ReferenceBeam
from optics.detection.root import root
from optics.detection.schemes import SCHEMES, scheme
from optics.detection.shots import FieldItself, FourShot, TwoShot
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
