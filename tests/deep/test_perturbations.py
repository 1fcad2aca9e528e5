import pytest

torch = pytest.importorskip("torch", reason="torch is missing")

from faircluster.deep import FeatureNoise, ImageAugmentation, VirtualAdversary
from faircluster.deep.losses import consistency
from faircluster.deep.perturbations import frozen_statistics


def test_augmentation_without_room_is_the_identity():
    x = torch.rand(3, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    still = ImageAugmentation(rotation=0, scale=(1, 1), aspect=0, shear=0, shift=0)
    torch.testing.assert_close(still(x), x, atol=1e-5, rtol=0)


def test_augmentation_keeps_the_border_of_dark_and_light_images():
    blank = torch.stack([torch.full((1, 8, 8), -1.0), torch.full((1, 8, 8), 1.0)])
    torch.testing.assert_close(ImageAugmentation()(blank), blank)


def test_augmentation_commutes_with_inversion():
    x = torch.rand(4, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        plain = ImageAugmentation()(x)
        torch.manual_seed(3)
        inverted = ImageAugmentation()(-x)
    torch.testing.assert_close(inverted, -plain)


def test_flip_mirrors_about_half_of_the_images():
    x = torch.zeros(200, 1, 5, 5)
    x[:, :, 2, 1] = 1.0
    flip = ImageAugmentation(rotation=0, scale=(1, 1), aspect=0, shear=0, shift=0, flip=True)(x)
    assert 60 < int((flip[:, 0, 2, 3] > 0.5).sum()) < 140
    assert int((flip[:, 0, 2, [1, 3]].max(dim=1).values > 0.5).sum()) == 200


def test_light_changes_stay_within_their_range():
    x = torch.rand(50, 1, 8, 8)
    lit = ImageAugmentation(rotation=0, scale=(1, 1), aspect=0, shear=0, shift=0, contrast=0.2)(x)
    ratio = lit.std(dim=(1, 2, 3)) / x.std(dim=(1, 2, 3))
    assert 0.8 <= float(ratio.min()) < 0.9
    assert 1.1 < float(ratio.max()) <= 1.2


def test_noise_has_the_asked_spread_and_dropout_swaps_within_a_feature():
    x = torch.arange(4000.0)[:, None].repeat(1, 2)
    x[:, 1] = 7.0
    noisy = FeatureNoise([0.0, 1.0], noise=0.5, dropout=0.3)(x)
    assert float(noisy[:, 1].std()) == pytest.approx(0.5 * 0.7**0.5, rel=0.1)  # none on what is swapped
    kept = float((noisy[:, 0] == x[:, 0]).float().mean())
    assert kept == pytest.approx(0.7, abs=0.05)
    assert set(noisy[:, 0].tolist()) <= set(x[:, 0].tolist())


def test_adversary_has_the_radius_and_hurts_more_than_chance():
    generator = torch.Generator().manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 3))
    x = torch.randn(80, 6, generator=generator)
    radius = torch.linspace(0.5, 2.0, 80)
    moved = VirtualAdversary(fraction=0.5).perturb(net, x, net(x).log_softmax(dim=1), radius, scale=1.0)
    step = moved - x
    torch.testing.assert_close(step.norm(dim=1), 0.5 * radius)
    chance = torch.randn(80, 6, generator=generator)
    chance = chance * (step.norm(dim=1) / chance.norm(dim=1))[:, None]

    def divergence(y):
        with torch.no_grad():
            return float(consistency(torch.log_softmax(net(x), 1), torch.log_softmax(net(y), 1)))

    assert divergence(moved) > 1.5 * divergence(x + chance)


def test_batch_norms_remember_nothing_of_an_adversary():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    x = torch.randn(8, 2)
    log_proba = net(x).log_softmax(dim=1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    VirtualAdversary().perturb(net, x, log_proba, torch.ones(8), 1.0)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    with frozen_statistics(net):
        pass
    net(torch.randn(8, 2))
    assert not torch.equal(net.state_dict()["1.running_mean"], before["1.running_mean"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ImageAugmentation(scale=(0, 1)), "scale must be two positive"),
        (lambda: FeatureNoise(dropout=1.0), "dropout must be in"),
        (lambda: VirtualAdversary(steps=0), "must be positive"),
        (lambda: ImageAugmentation()(torch.zeros(2, 3)), "needs images"),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()
