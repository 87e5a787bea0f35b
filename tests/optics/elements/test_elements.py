"""Elements against closed forms, and the relay composed of them against the road of layers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import jv
from torch import nn
from torch.nn import functional

from optics.detection import FieldItself
from optics.elements import (
    Aperture,
    FourierLens,
    FreeSpace,
    GaussianBeam,
    Grating,
    Mask,
    PhaseMask,
    PlaneWave,
    PointSource,
    Relay,
    Segments,
    ThinLens,
)
from optics.errors import InputError, SamplingError
from optics.field import Field
from optics.grid import turned
from optics.lens import Lens
from optics.physical import Bench, Geometry, physical_convolution
from optics.physical.filter import response_target
from optics.system import FourF

WAVELENGTH_M = 633e-9


def largest(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def test_a_gaussian_beam_goes_on_as_it_began() -> None:
    grid = (160, 128), WAVELENGTH_M, (10e-6, 12e-6)
    here, there = (
        GaussianBeam(*grid, 150e-6, z_m, power_w=2e-3, centre_m=(30e-6, -50e-6))()
        for z_m in (-0.05, 0.03)
    )
    assert float(here.power_w) == pytest.approx(2e-3, rel=1e-6)
    # The closed form is paraxial: its own departure is λ²/(4π w₀)² of the phase.
    assert largest(FreeSpace(0.08)(here).data, there.data) < 1e-4


def test_a_thin_lens_focuses_a_gaussian_beam_to_its_waist() -> None:
    # 2f: a waist in the front focal plane has its image, λf/(πw₀), in the back one.
    focal_m, waist_m = 0.1, 120e-6
    beam = GaussianBeam((256, 256), WAVELENGTH_M, 8e-6, waist_m)
    bench = nn.Sequential(FreeSpace(focal_m), ThinLens(focal_m), FreeSpace(focal_m))
    behind = bench(beam())
    expected = GaussianBeam(
        (256, 256), WAVELENGTH_M, 8e-6, WAVELENGTH_M * focal_m / (math.pi * waist_m)
    )()
    # Two foci turn the phase by a quarter each way: -i.
    assert largest(behind.data, -1j * expected.data) < 2e-3
    axis_m = behind.pitch_m[0]
    zoomed = FourierLens(focal_m)(beam())
    assert zoomed.pitch_m[0] == pytest.approx(WAVELENGTH_M * focal_m / (256 * 8e-6))
    assert axis_m == 8e-6


def test_a_point_is_imaged_where_the_lens_equation_says() -> None:
    # 1/a + 1/b = 1/f: behind the lens the wave runs to a point at b.
    focal_m, a_m = 0.08, 0.2
    b_m = 1 / (1 / focal_m - 1 / a_m)
    before = PointSource((200, 200), WAVELENGTH_M, 8e-6, a_m)()
    behind = ThinLens(focal_m)(before)
    expected = PointSource((200, 200), WAVELENGTH_M, 8e-6, -b_m)()
    # Spherical against parabolic waves: π r⁴ / (4λ) (1/a³ + 1/b³), 2e-2 rad at the corner.
    phase = (behind.data * expected.data.conj()).angle()
    assert float(phase.abs().max()) < 0.03
    r4_m4 = 2 * (0.8e-3) ** 4 * 2
    bound = math.pi * r4_m4 / (4 * WAVELENGTH_M) * (1 / a_m**3 + 1 / b_m**3)
    assert float(phase.abs().max()) < 1.01 * bound
    assert PointSource((8, 8), WAVELENGTH_M, 8e-6, a_m)().data[4, 4] == 1


def orders(grating: Grating, samples: int = 4096, period: int = 256) -> np.ndarray:
    """Return the power of each order of a grating of ``period`` samples."""
    field = PlaneWave((2, samples), WAVELENGTH_M, 1e-6)()
    spectrum = torch.fft.fft(grating(field).data[0]) / samples
    return (spectrum.abs().square().numpy())[:: samples // period]


def test_orders_of_gratings() -> None:
    period_m = 256e-6
    slits = orders(Grating(period_m, "amplitude", duty=0.25))
    wave = orders(Grating(period_m, "sine", depth_rad=3.0))
    blaze = orders(Grating(period_m, "blazed", depth_rad=2.0))
    steps = orders(Grating(period_m, "blazed", levels=4))
    for m in (0, 1, 2, 3):
        # 64 of 256 samples: the sinc of a sample is 1 - 2e-4 at the third order.
        assert slits[m] == pytest.approx(0.25**2 * np.sinc(m * 0.25) ** 2, rel=1e-3, abs=1e-12)
        assert wave[m] == pytest.approx(jv(m, 1.5) ** 2, rel=1e-9)
        assert blaze[m] == pytest.approx(np.sinc(2 / (2 * math.pi) - m) ** 2, rel=1e-3)
    assert steps[1] == pytest.approx(np.sinc(1 / 4) ** 2, rel=1e-4)
    down = Grating(64e-6, "sine", depth_rad=1.0, angle_rad=math.pi / 2)
    field = PlaneWave((64, 2), WAVELENGTH_M, 1e-6)()
    shown = down(field).data
    assert torch.allclose(shown[:, 0], shown[:, 1])
    assert torch.fft.fft(shown[:, 0]).abs()[1] / 64 == pytest.approx(jv(1, 0.5), rel=1e-9)


def test_apertures_have_their_area_and_stops_the_rest() -> None:
    field = PlaneWave((101, 120), WAVELENGTH_M, (3e-6, 2e-6))()
    for opening, area_m2 in (
        (Aperture(113e-6, centre_m=(11e-6, -7e-6)), math.pi * (113e-6 / 2) ** 2),
        (Aperture((101e-6, 57e-6), centre_m=(-4e-6, 9e-6)), 101e-6 * 57e-6),
    ):
        assert float(opening.transmission(field).sum()) * 6e-12 == pytest.approx(area_m2, rel=2e-4)
        stop = Aperture(opening.size_m, centre_m=opening.centre_m, stop=True)
        both = stop.transmission(field) + opening.transmission(field)
        assert torch.allclose(both, torch.ones_like(both))


def test_airy_disc_of_a_lens_with_a_pupil() -> None:
    # First dark ring at 1.2197 λf/D in the focal plane of a round lens, zoomed ten times.
    focal_m, pupil_m = 0.2, 1.6e-3
    lens = ThinLens(Lens(focal_length_m=focal_m, pupil_m=pupil_m, efficiency=0.81))
    lit = lens(PlaneWave((256, 256), WAVELENGTH_M, 8e-6)())
    area_m2 = float(lit.data.abs().sum()) * 64e-12
    assert area_m2 == pytest.approx(0.9 * math.pi * pupil_m**2 / 4, rel=1e-4)
    focus = FreeSpace(focal_m, window=(1, 400), pitch_m=(1e-6, 0.5e-6))(lit)
    intensity = focus.intensity[0, 200:]
    dark_m = float(intensity[:300].argmin()) * 0.5e-6
    assert dark_m == pytest.approx(1.2197 * WAVELENGTH_M * focal_m / pupil_m, abs=0.6e-6)
    peak = 0.81 * (math.pi * pupil_m**2 / (4 * WAVELENGTH_M * focal_m)) ** 2
    assert float(intensity[0]) == pytest.approx(peak, rel=5e-3)


def test_pistons_of_segments_shift_the_fringes_of_two_slits() -> None:
    # Two segments of side s, s + g apart: cos² fringes within a sinc², shifted by the piston.
    mirror = Segments((1, 2), 200e-6, gap_m=100e-6)
    mirror.waves.data[0] = torch.tensor([[0.0, 0.25]])
    far = FourierLens(0.1)(mirror(PlaneWave((64, 512), WAVELENGTH_M, 10e-6)()))
    assert mirror.waves.requires_grad
    _, x = far.axes_m
    u = x.numpy() / (WAVELENGTH_M * 0.1)
    expected = np.sinc(200e-6 * u) ** 2 * np.cos(np.pi * (300e-6 * u - 0.25)) ** 2
    row = far.intensity[32].detach().numpy()
    # The grid's samples are squares' middles: aliased sinc tails of 1/400.
    assert np.abs(row / row.max() - expected / expected.max()).max() < 5e-3
    tilted = Segments((1, 1), 320e-6)
    tilted.waves.data[2] = 4.0  # waves at the edge of half a side: four fringes of the far field
    spot = FourierLens(0.1)(tilted(PlaneWave((64, 64), WAVELENGTH_M, 10e-6)()))
    row = spot.intensity[32]
    assert float(spot.axes_m[1][int(row.argmax())]) == pytest.approx(
        WAVELENGTH_M * 0.1 * 4 / 160e-6, rel=1e-9
    )


def test_the_relay_composed_of_elements_equals_the_road_of_layers() -> None:
    system = FourF.ideal((32, 32))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 1, 12, 12, dtype=torch.float64, generator=generator)
    weight = torch.randn(1, 1, 5, 5, dtype=torch.float64, generator=generator)
    bench = Bench(system, scheme=FieldItself(), along=())
    road = physical_convolution(images, weight, bench=bench).output

    geometry = Geometry.of(system, (32, 32), bench.sampling)
    kernel = torch.zeros(32, 32, dtype=torch.float64)
    kernel[14:19, 14:19] = weight[0, 0].flip(0, 1)  # light convolves
    spectrum = response_target(kernel, geometry)
    shown = functional.pad(images[:, 0], (10, 10, 10, 10))
    light = Field(shown, system.laser.wavelength_m, system.input.pitch_m)
    relay = Relay(Mask(spectrum), focal_length_m=system.lens_1.focal_length_m)
    image = relay(light)
    assert image.pitch_m[0] == pytest.approx(system.input.pitch_m)
    # Two foci turn the image by 180° and by -1 in sign.
    upright = -turned(image.data).real
    assert torch.allclose(upright[:, 12:20, 12:20], road[:, 0], atol=1e-10)
    assert torch.allclose(road, functional.conv2d(images, weight), atol=1e-10)


def test_a_relay_of_free_space_and_thin_lenses_is_that_of_fourier_lenses() -> None:
    focal_m = 0.05
    beam = GaussianBeam((192, 192), WAVELENGTH_M, 10e-6, 120e-6, centre_m=(80e-6, -130e-6))
    tilted = replace_sines(beam, (1e-3, 2e-3))
    ideal = Relay(focal_length_m=focal_m)(tilted)
    space, lens = FreeSpace(focal_m), ThinLens(focal_m)
    real = nn.Sequential(space, lens, space, space, lens, space)(tilted)
    assert largest(real.data, ideal.data) < 5e-3


def replace_sines(source: nn.Module, sines: tuple[float, float]) -> Field:
    field: Field = source()
    wave = Field.plane_wave(field.shape, field.wavelength_m, field.pitch_m, sines)
    return field.with_data(field.data * wave.data)


@pytest.mark.filterwarnings("ignore::optics.propagation.AliasingWarning")  # steps at each sample
def test_phase_masks_learn_to_send_light_to_one_corner() -> None:
    torch.manual_seed(0)
    grid = (24, 24)
    light = PlaneWave(grid, WAVELENGTH_M, 8e-6, dtype=torch.complex64)()
    corner = torch.zeros(grid)
    corner[2:6, 2:6] = 1
    model = nn.Sequential(PhaseMask(grid), FreeSpace(5e-3), PhaseMask(grid), FreeSpace(5e-3))
    adam = torch.optim.Adam(model.parameters(), lr=0.2)

    def share() -> torch.Tensor:
        intensity = model(light).intensity
        return (intensity * corner).sum() / light.intensity.sum()

    before = float(share().detach())
    for _ in range(40):
        adam.zero_grad()
        (-share()).backward()
        adam.step()
    assert before < 0.05
    assert float(share().detach()) > 0.5
    assert {name for name, _ in model.named_parameters()} == {"0.phase_rad", "2.phase_rad"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PlaneWave((8, 8), WAVELENGTH_M, 8e-6, (0.1, 0.0)), "sine 0.1 down turns"),
        (lambda: GaussianBeam((64, 64), WAVELENGTH_M, 8e-6, 2e-6, 1e-3), "GaussianBeam: its phase"),
        (lambda: GaussianBeam((8, 8), WAVELENGTH_M, 8e-6, 0.0), "waist_m must be finite and above"),
        (lambda: PointSource((64, 64), WAVELENGTH_M, 8e-6, 1e-3), "PointSource: its phase turns"),
        (lambda: PointSource((8, 8), WAVELENGTH_M, 8e-6, 0.0), "distance_m must not be 0"),
        (lambda: Aperture(0.0), "Aperture: size_m must be finite and above 0"),
        (lambda: ThinLens(0.0), "focal length must not be 0"),
        (lambda: Grating(1e-4, "round"), "one of amplitude, sine, blazed; got 'round'"),  # type: ignore[arg-type]
        (lambda: Grating(1e-4, levels=1), "levels must be at least 2"),
        (lambda: Segments((0, 1), 1e-4), "count must be at least 1"),
        (lambda: Segments((1, 1), 1e-4, -1.0), "gap_m must be at or above 0"),
        (lambda: FourierLens(-1.0), "focal_length_m must be finite and above 0"),
        (lambda: PhaseMask((4, 4), torch.zeros(3, 3)), "start_rad must be of"),
        (lambda: Aperture(1e-3)(torch.ones(8, 8)), "Aperture: expected a Field, got a Tensor"),  # type: ignore[arg-type]
        (lambda: FreeSpace(1e-3)(torch.ones(8, 8)), "FreeSpace: expected a Field, got a Tensor"),  # type: ignore[arg-type]
        (lambda: FourierLens(0.1)(torch.ones(8, 8)), "FourierLens: expected a Field, got a Te"),  # type: ignore[arg-type]
        (lambda: PhaseMask((4, 4))(PlaneWave((8, 8), WAVELENGTH_M, 8e-6)()), "8 x 8; got 4 x 4"),
    ],
)
def test_figures_out_of_range_are_refused(make: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        make()  # type: ignore[operator]


def test_elements_that_the_grid_does_not_show_are_refused() -> None:
    light = PlaneWave((64, 64), WAVELENGTH_M, 8e-6)()
    with pytest.raises(SamplingError, match=r"ThinLens of f=0.001 m: .* FourierLens"):
        ThinLens(1e-3)(light)
    ThinLens(Lens(focal_length_m=1e-3, pupil_m=7e-5))(light)
    with pytest.raises(SamplingError, match="fewer than two samples"):
        Grating(1e-5)(light)
    assert "64 x 64" in repr(PlaneWave((64, 64), WAVELENGTH_M, 8e-6))
    assert "0.1 m" in repr(nn.Sequential(FreeSpace(0.1), FourierLens(0.1)))
    assert replace(Lens.ideal(), focal_length_m=1.0).focal_length_m == 1.0
